//! Reads golden values (see `golden/README.md`) and compares with them.

use serde::de::DeserializeOwned;

/// The cases of `golden/fixtures/<name>.json`.
pub fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../golden/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Asserts that each number is within `tolerance` of the expected one, relative to it where it is greater than 1.
pub fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "numbers of {what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        let bound = tolerance * expected.abs().max(1.0);
        assert!(error <= bound, "{what}[{index}]: {found} is not {expected} (within {bound:e})");
    }
}
