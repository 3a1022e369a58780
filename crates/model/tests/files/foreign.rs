//! Files that are no models: each has its own clear error, and none panics or takes memory.

use crate::sample::{chain, checkpoint, model};
use percept_model::checkpoint::Checkpoint;
use percept_model::error::ModelError;
use percept_model::model::Model;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn bytes() -> Vec<u8> {
    model().to_bytes().expect("valid")
}

fn refused(bytes: &[u8]) -> ModelError {
    Model::from_bytes(bytes).expect_err("no model")
}

/// A file from header text and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// The sample's header with one text replaced by another, and its data.
fn edited(from: &str, to: &str) -> Vec<u8> {
    let bytes = bytes();
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("text");
    assert!(header.contains(from), "{from} is in {header}");
    // Without its checksum: these edits are made on purpose.
    let header = header.replacen(from, to, 1).replace("content_sha256", "was_sha256");
    file(&header, &bytes[8 + length..])
}

#[test]
fn files_of_others_are_named() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "an empty file"),
        (b"x", "1 byte of text"),
        (b"\0", "1 byte without a safetensors header"),
        (b"epochs = 20\nlearning_rate = 0.1\n", "32 bytes of text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image"),
        (b"PK\x03\x04\x14\0\0\0\x08\0 archive", "a ZIP archive"),
        (&[0; 64], "64 bytes without a safetensors header"),
        (&file("{}", b""), "an empty safetensors file of another program"),
        (
            &file(
                r#"{"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}"#,
                &[0; 2],
            ),
            "a safetensors file of another program (tensors \"w\")",
        ),
    ];
    for (bytes, expected) in cases {
        let error = refused(bytes);
        assert!(
            matches!(&error, ModelError::Foreign { found, .. } if found.starts_with(expected)),
            "{error}"
        );
        assert!(error.hint().contains("model.safetensors"));
    }
}

#[test]
fn errors_of_files_name_the_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("some model.safetensors");
    let message = |path: &Path| chain(&Model::read(path).expect_err("no model"));

    assert!(message(&path).starts_with(&format!("cannot read {}: ", path.display())));
    let expected =
        format!("cannot use {}: expected a file, found a directory", folder.path().display());
    assert_eq!(message(folder.path()), expected);
    let below_a_file = path.join("model.safetensors");
    fs::write(&path, "hello world, this is text").expect("written");
    assert!(message(&below_a_file).starts_with("cannot read "));
    let expected = format!("{} is not a percept model: found 25 bytes of text", path.display());
    assert_eq!(message(&path), expected);
    if cfg!(unix) {
        let zero = message(Path::new("/dev/zero"));
        assert_eq!(zero, "cannot use /dev/zero: expected a file, found a device or pipe");
    }
}

#[test]
fn every_truncation_is_refused() {
    let bytes = bytes();
    for length in 0..bytes.len() {
        match refused(&bytes[..length]) {
            ModelError::Truncated { found, expected, .. } => {
                assert!(
                    found == length as u64 && expected > found && expected <= bytes.len() as u64
                );
            }
            ModelError::Foreign { .. } => assert!(length <= 8, "cut at {length}"),
            other => panic!("cut at {length}: {other}"),
        }
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = bytes();
    bytes.push(0);
    assert!(matches!(refused(&bytes), ModelError::TrailingBytes { .. }));
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let (bytes, expected) = (bytes(), model());
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            // Only a change that means nothing, such as one to the checksum's name, may pass.
            if let Ok(found) = Model::from_bytes(&changed) {
                assert_eq!(found, expected, "bit {bit} of byte {index}");
            }
        }
    }
}

#[test]
fn lying_lengths_take_no_memory() {
    for claimed in [u64::MAX, u64::MAX - 7, 1 << 62, 1 << 40, (16 << 20) + 1] {
        let mut bytes = bytes();
        bytes[..8].copy_from_slice(&claimed.to_le_bytes());
        let error = refused(&bytes);
        assert!(
            matches!(error, ModelError::Damaged { .. } | ModelError::Foreign { .. }),
            "{error}"
        );
    }
    let huge = edited(
        "\"shape\":[3,3,1,2],\"data_offsets\":[0,72]",
        "\"shape\":[4294967296,4294967296],\"data_offsets\":[0,72]",
    );
    assert!(
        chain(&refused(&huge)).contains("of shape [4294967296, 4294967296] lies in bytes (0, 72)")
    );
    let far = edited("\"data_offsets\":[0,72]", "\"data_offsets\":[0,18446744073709551615]");
    assert!(matches!(refused(&far), ModelError::Damaged { .. }));
    // 2^60 numbers, consistently claimed.
    let header = r#"{"__metadata__":{"format":"percept-model","format_version":"1"},"w":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}}"#;
    assert!(matches!(refused(&file(header, &[0; 64])), ModelError::Truncated { .. }));
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let cases = [
        ("\"conv1.weight\"", "\"dense1.weight\"", "\"dense1.weight\" comes twice"),
        ("\"epochs\"", "\"config\"", "\"config\" comes twice"),
        ("\"dtype\":\"F32\"", "\"dtype\":\"F16\"", "has numbers of type \"F16\", expected F32"),
        ("[0,72]", "[4,76]", "begins at byte 4, expected 0"),
        (
            "\"shape\":[3,3,1,2]",
            "\"shape\":[3,3,2,2]",
            "of shape [3, 3, 2, 2] lies in bytes (0, 72)",
        ),
        ("\"shape\":[3,3,1,2]", "\"shape\":[-3,-3,1,2]", "invalid value: integer `-3`"),
        ("\"shape\":[3,3,1,2]", "\"shape\":[3,3,1,1,1,1,1,1,2]", "has 9 axes"),
        ("\"seed\":\"18446744073709551615\"", "\"seed\":7", "expected a string"),
    ];
    for (from, to, expected) in cases {
        let message = chain(&refused(&edited(from, to)));
        assert!(message.contains(" is damaged: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn entries_that_cannot_be_used_are_named() {
    let cases = [
        (
            "\"seed\":\"18446744073709551615\"",
            "\"seed\":\"-1\"",
            "\"seed\": expected a number, found \"-1\"",
        ),
        ("\"steps\"", "\"steqs\"", "\"steps\": expected an entry, found none"),
        ("[\\\"dot\\\",", "[\\\"daß\\\",", "expected different names, found \"daß\" twice"),
        ("[\\\"dot\\\",", "[7,", "\"class_names\": its JSON cannot be used: invalid type"),
        (
            "kind = \\\"dense\\\"",
            "kind = \\\"dance\\\"",
            "\"spec\": it describes no network: layer 5 (dance)",
        ),
        (
            "\"sha256\\\"",
            "\"sha255\\\"",
            "\"data\": its JSON cannot be used: missing field `sha256`",
        ),
    ];
    for (from, to, expected) in cases {
        let message = chain(&refused(&edited(from, to)));
        assert!(message.contains(expected), "{message}");
    }
    let later = refused(&edited("\"format_version\":\"1\"", "\"format_version\":\"2\""));
    assert_eq!(
        later.to_string(),
        "the model's bytes has format version \"2\", this percept reads version 1"
    );
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    for (value, shown) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let mut bytes = bytes();
        let last = bytes.len() - 4;
        bytes[last..].copy_from_slice(&value.to_le_bytes());
        let expected = format!("tensor \"batch_norm1.running_var\" has {shown} at index 1");
        assert!(refused(&bytes).to_string().contains(&expected));
    }
}

#[test]
fn names_from_a_file_cannot_steer_the_terminal() {
    let escape = refused(&edited(
        "\"conv1.weight\":{\"dtype\":\"F32\"",
        "\"\\u001b[2J\":{\"dtype\":\"F16\"",
    ));
    assert!(!chain(&escape).contains('\x1b'), "{escape}");
    assert!(chain(&escape).contains("\\u{1b}[2J"));
}

#[test]
fn checkpoints_are_as_careful() {
    let bytes = checkpoint().to_bytes().expect("valid");
    for length in 0..bytes.len() {
        assert!(Checkpoint::from_bytes(&bytes[..length]).is_err());
    }
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 0x11;
        if let Ok(found) = Checkpoint::from_bytes(&changed) {
            assert_eq!(found, checkpoint(), "byte {index}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
        prop_assert!(Checkpoint::from_bytes(&bytes).is_err());
    }

    #[test]
    fn any_header_is_read_without_panic(text in any::<String>(), data in prop::collection::vec(any::<u8>(), 0..40)) {
        let begun = format!("{{{text}");
        prop_assert!(Model::from_bytes(&file(&begun, &data)).is_err());
    }

    #[test]
    fn any_run_of_bytes_may_be_overwritten(start in 0_usize..4000, noise in prop::collection::vec(any::<u8>(), 1..64)) {
        let mut bytes = bytes();
        let start = start % bytes.len();
        let end = (start + noise.len()).min(bytes.len());
        bytes[start..end].copy_from_slice(&noise[..end - start]);
        if let Ok(found) = Model::from_bytes(&bytes) {
            prop_assert_eq!(found, model());
        }
    }
}
