//! candle under measurement.

mod network;
mod worker;

fn main() -> std::io::Result<()> {
    bench_protocol::serve(worker::Candle::default())
}
