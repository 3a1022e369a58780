//! Tables of files and labels.

use percept_data::sources::{self, Format, Reading};
use pictures_made::{recognise, refusal, write, write_pictures};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

mod pictures_made;

/// A folder with four pictures in `images/` and a table.
fn folder(table: &str, text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    write_pictures(
        folder.path(),
        &["images/1.png", "images/2.png", "images/3.png", "images/4.png"],
    );
    write(folder.path(), table, text);
    folder
}

fn labels(path: &Path) -> (Vec<u32>, String) {
    let data = recognise(path).unwrap().train(None, 1).unwrap().dataset;
    (data.labels().to_vec(), data.class_names().join(" "))
}

#[test]
fn columns_are_found_by_their_names_or_contents() {
    let first =
        "files from `image`, labels from `label`: by their names (--columns FILE,LABEL changes it)";
    for (name, text, note) in [
        (
            "labels.csv",
            "label,image\ncat,images/1.png\ndog,images/2.png\ncat,images/3.png\n",
            first,
        ),
        (
            "labels.tsv",
            "label\timage\ncat\timages/1.png\ndog\timages/2.png\ncat\timages/3.png\n",
            first,
        ),
        (
            "labels.csv",
            "\u{feff}label;image\r\ncat;images/1.png\r\ndog;images/2.png\r\ncat;images/3.png\r\n",
            first,
        ),
        (
            "labels.csv",
            "image,label,notes\n1.png,cat,x\n2.png,dog,y\n 3.png , cat,\"a, b\"\n",
            first,
        ),
        (
            "labels.csv",
            "images/1.png,cat\nimages/2.png,dog\nimages/3.png,cat\n",
            "files from column 1, labels from column 2: the only ones there are (--columns FILE,LABEL changes it)",
        ),
        (
            "labels.csv",
            "what,Bild\ncat,1\ndog,2\ncat,3\n",
            "files from `Bild`, labels from `what`: the only ones there are (--columns FILE,LABEL changes it)",
        ),
    ] {
        let folder = folder(name, text);
        for path in [folder.path().to_owned(), folder.path().join(name)] {
            assert_eq!(labels(&path), (vec![0, 1, 0], "cat dog".into()), "{text}");
            let source = recognise(&path).unwrap();
            assert_eq!((source.format(), source.notes()[0].as_str()), (Format::Table, note));
        }
    }
}

#[test]
fn columns_can_be_named_or_counted() {
    let text = "f,truth,guess,fold\n1.png,cat,dog,train\n2.png,dog,dog,train\n3.png,cat,cat,valid\n4.png,cat,dog,test\n";
    let folder = folder("t.csv", text);
    let found = refusal(folder.path());
    let message = "expected a column with the labels, found several that might be, among `f`, `truth`, `guess`, `fold`; \
                   name the columns: --columns FILE,LABEL";
    assert!(found.ends_with(message), "{found}");
    let read = |columns: &str| {
        let columns = columns.split(',').map(str::to_owned).collect();
        sources::recognise(folder.path(), &Reading { columns, ..Reading::default() })
    };
    for columns in ["f,truth,fold", "1,2,4"] {
        let source = read(columns).unwrap();
        let training = source.train(None, 1).unwrap();
        assert_eq!((training.dataset.labels(), training.validation), (&[0, 1, 0][..], Some(2..3)));
        assert_eq!(source.test(None, 1).unwrap().unwrap().open().unwrap().dataset.labels(), [0]);
    }
    assert_eq!(read("f,guess").unwrap().train(None, 1).unwrap().dataset.labels(), [1, 1, 0, 1]);
    for (columns, message) in [
        ("f,nothing", "columns must be among `f`, `truth`, `guess`, `fold`, but is `nothing`"),
        ("f,5", "but is `5`"),
        ("f", "columns must be two or three"),
    ] {
        let found = read(columns).unwrap_err().to_string();
        assert!(found.contains(message), "{found}");
    }
    let found = read("f,truth,guess").unwrap_err().to_string();
    assert!(
        found.contains(
            "expected train, validation or test in the column of parts, found `dog` for `1.png`"
        ),
        "{found}"
    );
}

#[test]
fn rows_that_cannot_be_used_are_listed() {
    let text = "file,label\n1.png,cat\n2.png,dog\nno.png,cat\n3.png,\n,cat\n4.png,dog\n";
    let folder = folder("t.csv", text);
    let data = recognise(folder.path()).unwrap().train(None, 1).unwrap().dataset;
    assert_eq!(data.labels(), [0, 1, 1]);
    let skipped = &data.origin().skipped;
    let reasons: Vec<&str> = skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
    let expected = [
        "the table names it, but it is not there",
        "the table gives it no label",
        "the table names no file",
    ];
    assert_eq!(reasons, expected);
    assert!(skipped[0].file.ends_with("images/no.png"), "{skipped:?}");
}

/// A first row without names whose file is missing is a row, not the names of columns.
#[test]
fn a_first_row_that_names_a_missing_file_is_listed() {
    let folder = folder("t.csv", "gone.png,dog\n1.png,cat\n2.png,dog\n");
    let source = recognise(folder.path()).unwrap();
    let note = "files from column 1, labels from column 2: the only ones there are";
    assert!(source.notes()[0].starts_with(note), "{:?}", source.notes());
    let data = source.train(None, 1).unwrap().dataset;
    assert_eq!(data.labels(), [0, 1]);
    let [skipped] = &data.origin().skipped[..] else { panic!("{:?}", data.origin().skipped) };
    assert!(skipped.file.ends_with("gone.png"), "{skipped:?}");
}

#[test]
fn tables_that_are_none_are_refused() {
    for (text, message) in [
        ("", "expected rows of files and labels, found no row"),
        ("file,label\n", "found no row"),
        ("file,label\n1.png,cat\n2.png\n", "expected a table with as many columns in every row"),
        ("file\n1.png\n2.png\n", "expected a column with the labels, found none beside `file`"),
        (
            "file,label,set\n1.png,cat,A\n2.png,dog,B\n",
            "found `A` for `1.png`; --columns FILE,LABEL leaves that column out",
        ),
        ("file,label\n1.png,cat\n2.png,cat\n", "expected at least two classes, found only `cat`"),
        ("file,label\n1.png,Cat\n2.png,cat\n3.png,cat\n", "found `Cat` and `cat`"),
        (
            "a,b\nx,y\nz,w\n",
            "expected a column with the pictures' files, beside the table or in `images/`, found none among `a`, `b`",
        ),
        (
            "file,label\nx.png,a\ny.png,b\n",
            "expected at least one picture, found none; the first, ",
        ),
        (
            "file,label,split\n1.png,a,train\n2.png,b,train\n3.png,c,test\n4.png,b,test\n",
            "has classes that are not expected (c): expected [a, b], found [b, c]",
        ),
    ] {
        let found = refusal(folder("t.csv", text).path());
        assert!(found.contains(message), "{text:?}: {found}");
    }
    let latin = folder("t.csv", "");
    fs::write(latin.path().join("t.csv"), b"file,label\n1.png,caf\xe9\n2.png,dog\n").unwrap();
    assert!(refusal(latin.path()).contains("expected a table in UTF-8"));
    // Two tables: neither is meant more than the other, and what remains is a single folder of pictures.
    let two = folder("t.csv", "file,label\n1.png,a\n");
    write(two.path(), "u.csv", "file,label\n1.png,a\n");
    assert!(refusal(two.path()).contains("found only `images`"));
}
