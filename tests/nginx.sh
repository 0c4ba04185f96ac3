# nginx for tests that are scripts (after tap.sh): `nginx_serve DIR [SERVER-LINES]` serves a directory, leaves
# its address in $nginx ("127.0.0.1:PORT") and ends it with the script.  It fails where nginx is not installed.
nginx_stop='[ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null'
nginx_pid=

# The port is the first of some that nobody has.
nginx_try() {
    nginx_port=$1
    cat >"$tap_dir/nginx/conf" <<CONF
daemon off; master_process off; pid $tap_dir/nginx/pid; error_log $tap_dir/nginx/errors;
events { worker_connections 2048; }
http {
    access_log off; client_body_temp_path $tap_dir/nginx/1; proxy_temp_path $tap_dir/nginx/2;
    fastcgi_temp_path $tap_dir/nginx/3; uwsgi_temp_path $tap_dir/nginx/4; scgi_temp_path $tap_dir/nginx/5;
    types { text/html html; text/plain txt; image/png png; }
    default_type text/plain;
    server { listen 127.0.0.1:$nginx_port; root $2; $3 }
}
CONF
    "$nginx_program" -c "$tap_dir/nginx/conf" 2>/dev/null &
    nginx_pid=$!
    for _ in $(seq 200); do
        kill -0 "$nginx_pid" 2>/dev/null || return 1
        [ -s "$tap_dir/nginx/pid" ] && return 0
        sleep 0.05
    done
    return 1
}

nginx_serve() {
    nginx_program=$(PATH=$PATH:/usr/sbin command -v nginx) || return 1
    mkdir -p "$tap_dir/nginx"
    trap 'eval "$nginx_stop"; rm -rf "$tap_dir"' EXIT
    for nginx_attempt in 1 2 3 4 5 6 7 8; do
        rm -f "$tap_dir/nginx/pid"
        if nginx_try $((20000 + ($$ * 7 + nginx_attempt * 1009) % 10000)) "$1" "${2:-}"; then
            nginx=127.0.0.1:$nginx_port
            return 0
        fi
    done
    return 1
}
