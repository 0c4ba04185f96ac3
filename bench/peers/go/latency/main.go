// How late a timer or a socket wakes its goroutine while there are N runnable ones: the twin of bench/net/latency.c.
// Usage: latency TICKER [N [NS]].
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const wakes = 500

var (
	work      int64
	lastRound atomic.Int64
	rounds    []float64
	late      [2][]float64
	over      [2][]float64
)

// readStamped reads a byte and returns how many nanoseconds ago it came, by the kernel's stamp.
func readStamped(c syscall.RawConn) int64 {
	var b [1]byte
	var oob [64]byte
	var n, oobn int
	var err error
	if e := c.Read(func(fd uintptr) bool {
		n, oobn, _, _, err = syscall.Recvmsg(int(fd), b[:], oob[:], syscall.MSG_DONTWAIT)
		return err != syscall.EAGAIN
	}); e != nil || err != nil || n != 1 {
		panic(fmt.Sprint(e, err, n))
	}
	now := time.Now().UnixNano()
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) == 0 {
		panic(fmt.Sprint("no stamp: ", err))
	}
	return now - (*syscall.Timespec)(unsafe.Pointer(&messages[0].Data[0])).Nano()
}

func stamped(c net.Conn) syscall.RawConn {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		panic(err)
	}
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	}); e != nil || err != nil {
		panic(fmt.Sprint(e, err))
	}
	time.Sleep(100 * time.Millisecond) // a kernel's thread begins to stamp, which may need this processor
	return raw
}

func yielder() {
	for {
		if work > 0 {
			start := time.Now()
			for time.Since(start).Nanoseconds() < work {
			}
		}
		runtime.Gosched()
	}
}

func measureRounds() {
	for {
		start := time.Now()
		runtime.Gosched()
		d := time.Since(start)
		lastRound.Store(d.Nanoseconds())
		if len(rounds) < 4096 {
			rounds = append(rounds, float64(d.Nanoseconds())/1e3)
		}
	}
}

func note(which int, d int64) {
	more := d - lastRound.Load()
	if more < 0 {
		more = 0
	}
	late[which] = append(late[which], float64(d)/1e3)
	over[which] = append(over[which], float64(more)/1e3)
}

func report(what string, s []float64) {
	sort.Float64s(s)
	fmt.Printf("LATENCY %-12s n=%d p50_us=%.1f p99_us=%.1f max_us=%.1f\n", what, len(s), s[len(s)/2], s[len(s)-1-len(s)/100], s[len(s)-1])
}

func main() {
	n := 10000
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 3 {
		work, _ = strconv.ParseInt(os.Args[3], 10, 64)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ticker := exec.Command(os.Args[1], strconv.Itoa(l.Addr().(*net.TCPAddr).Port), strconv.Itoa(wakes))
	if err := ticker.Start(); err != nil {
		panic(err)
	}
	c, err := l.Accept()
	if err != nil {
		panic(err)
	}
	raw := stamped(c)
	for i := 0; i < n; i++ {
		go yielder()
	}
	go measureRounds()
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		time.Sleep(100 * time.Millisecond)
		for i := 0; i < wakes; i++ {
			due := time.Now().Add(time.Millisecond)
			time.Sleep(time.Millisecond)
			note(0, time.Since(due).Nanoseconds())
		}
	}()
	go func() {
		defer wg.Done()
		time.Sleep(100 * time.Millisecond)
		c.Write([]byte("b"))
		for i := 0; i < wakes; i++ {
			note(1, readStamped(raw))
		}
	}()
	wg.Wait()
	fmt.Printf("INFO latency goroutines=%d work_ns=%d processors=%d\n", n, work, runtime.GOMAXPROCS(0))
	report("round", rounds)
	report("timer.late", late[0])
	report("timer.over", over[0])
	report("socket.late", late[1])
	report("socket.over", over[1])
}
