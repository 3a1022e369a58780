//! Whether a file is the one that its authors published.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use md5::Md5;
use percept_data::named::SetFile;
use sha2::{Digest, Sha256};

use crate::Error;

/// Holds a file against its checksums; one that is another file is removed.
pub(crate) fn check(path: &Path, file: &SetFile) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "read", path: path.to_owned(), source };
    let mut input = File::open(path).map_err(io)?;
    let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = input.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        md5.update(&buffer[..count]);
        if file.sha256.is_some() {
            sha256.update(&buffer[..count]);
        }
    }
    let found = [("MD5", Some(file.md5), hexadecimal(&md5.finalize()))];
    let found =
        found.into_iter().chain([("SHA-256", file.sha256, hexadecimal(&sha256.finalize()))]);
    for (kind, expected, found) in found {
        if let Some(expected) = expected.filter(|expected| !found.eq_ignore_ascii_case(expected)) {
            fs::remove_file(path).map_err(io)?;
            let (name, expected) = (file.name.to_owned(), expected.to_owned());
            return Err(Error::Checksum { name, kind, expected, found });
        }
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
