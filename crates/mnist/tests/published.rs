//! The data inside is the data that was published.

use md5::{Digest, Md5};
use percept_mnist::Digits;

/// MD5 in hexadecimal of an IDX file: magic number, sizes, content.
fn md5_of_idx(header: &[u32], content: &[u8]) -> String {
    let mut hash = Md5::new();
    header.iter().for_each(|word| hash.update(word.to_be_bytes()));
    hash.update(content);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(digits: Digits, count: u32, images: &str, labels: &str) {
    assert_eq!(md5_of_idx(&[0x0803, count, 28, 28], digits.images), images);
    assert_eq!(md5_of_idx(&[0x0801, count], digits.labels), labels);
}

/// The sums are those of the published files, unpacked; `README.md` lists them.
#[test]
fn the_files_have_the_published_md5_sums() {
    let (train, test) = (percept_mnist::train().unwrap(), percept_mnist::test().unwrap());
    let labels = "a25bea736e30d166cdddb491f175f624";
    check(train, 60_000, "6bbc9ace898e44ae57da46a324031adb", labels);
    let labels = "27ae3e4e09519cfbb04c329615203637";
    check(test, 10_000, "2646ac647ad5339dbf082846283269ea", labels);
}

#[test]
fn a_part_is_unpacked_once() {
    let (first, second) = (percept_mnist::test().unwrap(), percept_mnist::test().unwrap());
    assert!(std::ptr::eq(first.images, second.images));
}
