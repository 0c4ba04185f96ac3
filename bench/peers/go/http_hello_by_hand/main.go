// HTTP hello world by hand over Go's net, without net/http: finds the end of each head, answers a GET with the same 14 bytes
// and headers as ../http_hello, and understands nothing else. Usage: http_hello ADDRESS.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const rest = "\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n"

var response atomic.Pointer[[]byte]

// The Date changes once a second, as in net/http's answers.
func keepDate() {
	for {
		text := []byte("HTTP/1.1 200 OK\r\nDate: " + time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + rest)
		response.Store(&text)
		time.Sleep(time.Second / 4)
	}
}

func serve(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 4096)
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		for {
			end := bytes.Index(buf[:have], []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			if !bytes.HasPrefix(buf[:end], []byte("GET /")) {
				return
			}
			if _, err := c.Write(*response.Load()); err != nil {
				return
			}
			have = copy(buf, buf[end+4:have])
		}
		if have == len(buf) {
			return
		}
	}
}

func main() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	go keepDate()
	for response.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("listening at", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go serve(c)
	}
}
