//! (p) TCP echo server, a task for each connection. Usage: p_echo ADDRESS. As many processors as GOMAXPROCS says.
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn main() {
    let procs = std::env::var("GOMAXPROCS").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    bench::runtime(procs).block_on(async {
        let l = TcpListener::bind(std::env::args().nth(1).unwrap()).await.unwrap();
        loop {
            let (mut c, _) = l.accept().await.unwrap();
            c.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut buf = [0; 4096];
                loop {
                    match c.read(&mut buf).await {
                        Ok(n) if n > 0 && c.write_all(&buf[..n]).await.is_ok() => continue,
                        _ => return,
                    }
                }
            });
        }
    });
}
