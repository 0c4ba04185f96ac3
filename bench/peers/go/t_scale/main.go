// (t) curves: creating and stopping one of N timers that are all pending, and a select of C cases one of which is ready.
package main

import (
	"bench/stat"
	"fmt"
	"time"
)

const rounds = 100000

func timers(n int) {
	ts := make([]*time.Timer, n)
	stat.Bench(fmt.Sprintf("t.timer_create_and_stop.N%d", n), 7, n, func() {
		for i := range ts {
			ts[i] = time.AfterFunc(time.Hour+time.Duration(i%1000)*time.Millisecond, func() {})
		}
		for i := range ts {
			if !ts[i].Stop() {
				panic("has fired")
			}
		}
	})
}

func select2(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%2] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func select4(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%4] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func select8(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%8] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func select16(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%16] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		case v = <-c[8]:
		case v = <-c[9]:
		case v = <-c[10]:
		case v = <-c[11]:
		case v = <-c[12]:
		case v = <-c[13]:
		case v = <-c[14]:
		case v = <-c[15]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func select32(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%32] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		case v = <-c[8]:
		case v = <-c[9]:
		case v = <-c[10]:
		case v = <-c[11]:
		case v = <-c[12]:
		case v = <-c[13]:
		case v = <-c[14]:
		case v = <-c[15]:
		case v = <-c[16]:
		case v = <-c[17]:
		case v = <-c[18]:
		case v = <-c[19]:
		case v = <-c[20]:
		case v = <-c[21]:
		case v = <-c[22]:
		case v = <-c[23]:
		case v = <-c[24]:
		case v = <-c[25]:
		case v = <-c[26]:
		case v = <-c[27]:
		case v = <-c[28]:
		case v = <-c[29]:
		case v = <-c[30]:
		case v = <-c[31]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func select64(c []chan int, rounds int) {
	for i := 0; i < rounds; i++ {
		c[i%64] <- i
		v := -1
		select {
		case v = <-c[0]:
		case v = <-c[1]:
		case v = <-c[2]:
		case v = <-c[3]:
		case v = <-c[4]:
		case v = <-c[5]:
		case v = <-c[6]:
		case v = <-c[7]:
		case v = <-c[8]:
		case v = <-c[9]:
		case v = <-c[10]:
		case v = <-c[11]:
		case v = <-c[12]:
		case v = <-c[13]:
		case v = <-c[14]:
		case v = <-c[15]:
		case v = <-c[16]:
		case v = <-c[17]:
		case v = <-c[18]:
		case v = <-c[19]:
		case v = <-c[20]:
		case v = <-c[21]:
		case v = <-c[22]:
		case v = <-c[23]:
		case v = <-c[24]:
		case v = <-c[25]:
		case v = <-c[26]:
		case v = <-c[27]:
		case v = <-c[28]:
		case v = <-c[29]:
		case v = <-c[30]:
		case v = <-c[31]:
		case v = <-c[32]:
		case v = <-c[33]:
		case v = <-c[34]:
		case v = <-c[35]:
		case v = <-c[36]:
		case v = <-c[37]:
		case v = <-c[38]:
		case v = <-c[39]:
		case v = <-c[40]:
		case v = <-c[41]:
		case v = <-c[42]:
		case v = <-c[43]:
		case v = <-c[44]:
		case v = <-c[45]:
		case v = <-c[46]:
		case v = <-c[47]:
		case v = <-c[48]:
		case v = <-c[49]:
		case v = <-c[50]:
		case v = <-c[51]:
		case v = <-c[52]:
		case v = <-c[53]:
		case v = <-c[54]:
		case v = <-c[55]:
		case v = <-c[56]:
		case v = <-c[57]:
		case v = <-c[58]:
		case v = <-c[59]:
		case v = <-c[60]:
		case v = <-c[61]:
		case v = <-c[62]:
		case v = <-c[63]:
		}
		if v != i {
			panic("wrong value")
		}
	}
}

func cases(n int, f func([]chan int, int)) {
	c := make([]chan int, n)
	for i := range c {
		c[i] = make(chan int, 1)
	}
	stat.Bench(fmt.Sprintf("t.select_and_refill.C%d", n), 7, rounds, func() { f(c, rounds) })
}

func main() {
	for n := 1000; n <= stat.Most(); n *= 10 {
		timers(n)
	}
	cases(2, select2)
	cases(4, select4)
	cases(8, select8)
	cases(16, select16)
	cases(32, select32)
	cases(64, select64)
}
