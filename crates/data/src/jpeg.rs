//! Whether a JPEG file is whole. Its decoder fills what is missing with grey, and says nothing.

use std::io::{self, BufRead};

/// What a JPEG file begins with.
pub(crate) const START: [u8; 2] = [0xff, 0xd8];

/// Whether the marker that ends the picture comes before the file does. Marker segments are stepped over by their lengths, so that
/// a smaller picture among the metadata, which has an end of its own, does not count (ITU-T T.81, B.1.1).
pub(crate) fn has_end(bytes: &mut (impl BufRead + ?Sized)) -> io::Result<bool> {
    loop {
        let Some(marker) = next_marker(bytes)? else { return Ok(false) };
        match marker {
            0xd9 => return Ok(true),
            // A byte of pixels, or a marker without a segment.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let mut len = [0; 2];
                if !read(bytes, &mut len)? {
                    return Ok(false);
                }
                skip(bytes, usize::from(u16::from_be_bytes(len)).saturating_sub(2))?;
            }
        }
    }
}

/// The code behind the next 0xff.
fn next_marker(bytes: &mut (impl BufRead + ?Sized)) -> io::Result<Option<u8>> {
    bytes.skip_until(0xff)?;
    let mut code = [0xff];
    while code == [0xff] {
        if !read(bytes, &mut code)? {
            return Ok(None);
        }
    }
    Ok(Some(code[0]))
}

/// Fills the buffer; `false` where the file ends before.
fn read(bytes: &mut (impl BufRead + ?Sized), buffer: &mut [u8]) -> io::Result<bool> {
    match bytes.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Steps over so many bytes, or to the end.
fn skip(bytes: &mut (impl BufRead + ?Sized), mut count: usize) -> io::Result<()> {
    while count > 0 {
        let here = bytes.fill_buf()?.len().min(count);
        if here == 0 {
            return Ok(());
        }
        bytes.consume(here);
        count -= here;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::has_end;

    /// A start, metadata with a small picture that has an end, a scan with a stuffed byte, a restart and padding, an end.
    const WHOLE: &[u8] = &[
        0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9, 0xff, 0xda, 0, 3, 1, 7, 0xff, 0, 8,
        0xff, 0xd0, 9, 0xff, 0xff, 0xd9,
    ];

    #[test]
    fn the_end_of_the_picture_itself_counts() {
        assert!(has_end(&mut &*WHOLE).unwrap());
        let with_more = [WHOLE, b"and what some programs write behind it"].concat();
        assert!(has_end(&mut &*with_more).unwrap());
        for len in 0..WHOLE.len() {
            assert!(!has_end(&mut &WHOLE[..len]).unwrap(), "{len} bytes");
        }
    }
}
