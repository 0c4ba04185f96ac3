# 10,000 TCP connections, each of which somebody waits for in a read: the memory of one.
. "$(dirname "$0")/measure"
client_program idle_client
start "$1" "127.0.0.1:$port" 4096 10001 # one more than come: it goes on waiting
empty=$(memory)
hold "$port" 10000
full=$(settled)
let_go
stop
result q.idle_tcp_bytes B $(((full - empty) * 1024 / 10000))
