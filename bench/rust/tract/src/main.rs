//! tract under measurement: as a worker, or (`tract-worker first ONNX PIXELS`) from start to the first prediction.

mod first;
mod plan;
mod worker;

use bench_protocol::Result;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["first", onnx, pixels] => first::predict(onnx, pixels),
        _ => Ok(bench_protocol::serve(worker::Tract::default())?),
    }
}
