//! Prints how long each part takes to unpack: `cargo run --release -p percept-mnist --example time`.

use std::io::{self, Write};
use std::time::Instant;

use percept_mnist::{Digits, Error};

fn main() -> io::Result<()> {
    let parts: [(&str, fn() -> Result<Digits, Error>); 2] =
        [("train", percept_mnist::train), ("test", percept_mnist::test)];
    for (name, part) in parts {
        let start = Instant::now();
        let count = part().map_err(io::Error::other)?.len();
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        writeln!(io::stdout(), "{name}: {count} images in {milliseconds:.1} ms")?;
    }
    Ok(())
}
