//! TFRecord framing: length, checksum of the length, content, checksum of the content, all little-endian.

use std::io::{self, Write};

pub(super) fn write(out: &mut impl Write, content: &[u8]) -> io::Result<()> {
    let length = (content.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(crc32c(&length)).to_le_bytes())?;
    out.write_all(content)?;
    out.write_all(&masked(crc32c(content)).to_le_bytes())
}

/// TensorFlow's masking: a checksum of bytes that hold checksums would be weak.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The Castagnoli checksum (RFC 3720, appendix B.4), bit by bit: records are short and rare.
fn crc32c(bytes: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0x82F6_3B78;
    let crc = bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { REVERSED_POLYNOMIAL } else { 0 }
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the check value of CRC-32/ISCSI in the catalogue of G. Cook.
    #[test]
    fn checksums_are_the_published_ones() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(&ascending), 0x46DD_794E);
        assert_eq!(crc32c(&descending), 0x113F_DB5C);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(b""), 0);
    }

    /// `masked_crc32c` of TensorBoard 2.21.0's `tensorboard.compat.tensorflow_stub.pywrap_tensorflow`.
    #[test]
    fn frames_are_those_of_tensorboard() {
        let mut framed = Vec::new();
        write(&mut framed, b"123456789").expect("memory");
        let expected = [
            &[9, 0, 0, 0, 0, 0, 0, 0][..],
            &0x3971_F937_u32.to_le_bytes(),
            b"123456789",
            &0xC78A_B0E5_u32.to_le_bytes(),
        ];
        assert_eq!(framed, expected.concat());
    }
}
