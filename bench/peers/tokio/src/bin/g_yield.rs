//! (g) yield_now between 2 and 1000 tasks on one processor; one operation is one yield; a tenth as many as the others do.
const N: usize = 500_000;

async fn among(tasks: usize) {
    let all: Vec<_> = (0..tasks)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..2 * N / tasks {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for t in all {
        t.await.unwrap();
    }
}

fn main() {
    let rt = bench::runtime(1);
    bench::bench(&rt, "g.gosched_2g.P1", 11, 2 * N, || among(2));
    bench::bench(&rt, "g.gosched_1000g.P1", 11, 2 * N, || among(1000));
}
