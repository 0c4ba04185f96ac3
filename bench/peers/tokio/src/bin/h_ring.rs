//! (h) a ring of 503 tasks passes a token, 1 M hops; one operation is one hop. The channels hold one value.
use tokio::sync::mpsc;

const R: usize = 503;
const N: usize = 1_000_000;

fn main() {
    for p in bench::procs() {
        let rt = bench::runtime(p);
        bench::bench(&rt, &format!("h.ring503_hop.P{p}"), 11, N, || async {
            let (done, mut ended) = mpsc::channel::<()>(1);
            let (first, first_in) = mpsc::channel::<usize>(1);
            let mut in_ = Some(first_in);
            for i in 0..R {
                let (out, next) = if i == R - 1 {
                    (first.clone(), None)
                } else {
                    let (out, next) = mpsc::channel::<usize>(1);
                    (out, Some(next))
                };
                let (mut mine, done) = (in_.take().unwrap(), done.clone());
                tokio::spawn(async move {
                    while let Some(v) = mine.recv().await {
                        if v == 0 {
                            done.send(()).await.unwrap();
                            return;
                        }
                        if out.send(v - 1).await.is_err() {
                            return;
                        }
                    }
                });
                in_ = next;
            }
            first.send(N).await.unwrap();
            ended.recv().await.unwrap();
        });
    }
}
