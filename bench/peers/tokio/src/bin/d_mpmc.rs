//! (d) 8 producers, 8 consumers, capacity 128; one operation is one message. Tokio's channels have one receiver:
//! this is crossbeam's, between 16 threads of the kernel, on all processors there are; a quarter as many messages.
use std::thread;

const N: usize = 1_000_000;
const SIDES: usize = 8;

fn main() {
    let p = thread::available_parallelism().unwrap().get();
    let rt = bench::runtime(1);
    bench::bench(&rt, &format!("d.mpmc_8x8_cap128.P{p}"), 11, N, || async {
        let (send, recv) = crossbeam_channel::bounded::<usize>(128);
        let producers: Vec<_> = (0..SIDES)
            .map(|_| {
                let send = send.clone();
                thread::spawn(move || (0..N / SIDES).for_each(|i| send.send(i).unwrap()))
            })
            .collect();
        let consumers: Vec<_> = (0..SIDES)
            .map(|_| {
                let recv = recv.clone();
                thread::spawn(move || recv.iter().sum::<usize>())
            })
            .collect();
        drop(send);
        producers.into_iter().for_each(|t| t.join().unwrap());
        let m = N / SIDES;
        assert_eq!(consumers.into_iter().map(|t| t.join().unwrap()).sum::<usize>(), SIDES * m * (m - 1) / 2);
    });
}
