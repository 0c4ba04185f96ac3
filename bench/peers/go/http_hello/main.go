// HTTP hello world: the twin of bench/net/http_hello.c. Usage: http_hello ADDRESS.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	message := []byte("Hello, World!\n")
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(message)
	})
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("listening at", l.Addr())
	panic(http.Serve(l, nil))
}
