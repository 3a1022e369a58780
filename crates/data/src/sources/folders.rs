//! Class folders: `DIR/<class>/*`, or the same under `train/`, `val/` (`valid/`, `validation/`) and `test/`.
//!
//! Only names are read here. Classes are in the order of their names (by bytes, as torchvision's `ImageFolder` has them).
//! Nothing deeper than a class folder is looked into, so a link that leads back up cannot be followed for ever.

use std::path::{Path, PathBuf};

use super::listing::{Entry, Listing, Part, Pictures, Place};
use super::{Contents, Format, is_picture_name};
use crate::{Decoding, Doing, Error, Skipped};

/// Lists the pictures of class folders. `None` when there are none, or when a table lies beside what is one folder, or folders of
/// parts without classes.
pub(super) fn list(
    contents: &Contents,
    beside_table: bool,
    decoding: &Decoding,
) -> Result<Option<Listing>, Error> {
    let part = |part| part_folder(contents, part);
    let (train, validation, test) =
        (part(Part::Train)?, part(Part::Validation)?, part(Part::Test)?);
    let listing = match (&train, &validation, &test) {
        (None, None, None) => {
            let Some(part) = ClassFolders::of(contents, decoding)? else { return Ok(None) };
            let are_parts = part.classes.iter().all(|class| Part::named(&class.name).is_some());
            if beside_table && (part.classes.len() == 1 || are_parts) {
                return Ok(None);
            }
            if are_parts && !part.classes.is_empty() {
                return Err(no_classes(contents, &part.classes));
            }
            join(contents, Some(part), None, None)?
        }
        _ => {
            let read = |part: Option<Contents>| -> Result<Option<ClassFolders>, Error> {
                let Some(contents) = part else { return Ok(None) };
                Ok(Some(ClassFolders::of(&contents, decoding)?.unwrap_or_default()))
            };
            let mut empty = Vec::new();
            let mut read_filled = |part: Option<Contents>| -> Result<Option<ClassFolders>, Error> {
                let Some(part) = part else { return Ok(None) };
                let name = part.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let found = read(Some(part))?.filter(|found| !found.is_empty());
                if found.is_none() {
                    empty.push(name);
                }
                Ok(found)
            };
            let (validation, test) = (read_filled(validation)?, read_filled(test)?);
            let mut listing = join(contents, read(train)?, validation, test)?;
            note(&mut listing.notes, empty.iter(), "parts without pictures are not used");
            let beside = contents.folders.iter().filter(|name| Part::named(name).is_none());
            note(&mut listing.notes, beside, "folders beside the parts are not used");
            listing
        }
    };
    Ok(Some(listing))
}

/// The folder of a part: it has one of the part's names, and holds folders of pictures. One that holds pictures alone may be a class.
fn part_folder(contents: &Contents, part: Part) -> Result<Option<Contents>, Error> {
    let named = |name: &&String| Part::named(name) == Some(part);
    let mut found = Vec::new();
    for name in contents.folders.iter().filter(named) {
        let inner = Contents::of(&contents.path.join(name))?;
        let has_pictures = inner.files.iter().any(|name| is_picture_name(name));
        let has_classes = || picture_below(&contents.path.join(name), &inner.folders).is_some();
        if !inner.folders.is_empty() && (!has_pictures || has_classes()) {
            found.push(inner);
        }
    }
    match found.as_slice() {
        [] | [_] => Ok(found.pop()),
        [one, other, ..] => Err(Error::Inconsistent {
            name: contents.path.display().to_string(),
            expected: "one folder for each part".into(),
            found: format!(
                "both `{}` and `{}`: put them together, or take one away",
                one.path.display(),
                other.path.display()
            ),
        }),
    }
}

/// The class folders of one part.
#[derive(Debug, Default)]
struct ClassFolders {
    /// Class names with the names of their pictures.
    classes: Vec<Class>,
    skipped: Vec<Skipped>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Class {
    name: String,
    folder: PathBuf,
    pictures: Vec<String>,
}

impl ClassFolders {
    /// The folders with pictures in them; `None` when there are none.
    fn of(contents: &Contents, decoding: &Decoding) -> Result<Option<Self>, Error> {
        let (mut classes, mut empty, mut other) = (Vec::new(), Vec::new(), Vec::new());
        let mut skipped: Vec<Skipped> =
            contents.unnameable.iter().map(|name| unnameable(&contents.path, name)).collect();
        let mut deeper = None;
        let look = |name: &String| -> Result<Option<Contents>, Error> {
            let folder = contents.path.join(name);
            match leads_back(&contents.path, &folder) {
                true => Ok(None),
                false => Contents::of(&folder).map(Some),
            }
        };
        let inside = decoding.map(Doing::Listing, &contents.folders, look);
        for (name, inner) in contents.folders.iter().zip(inside) {
            let folder = contents.path.join(name);
            let Some(inner) = inner? else {
                let reason = "a link to a folder that it is in".to_owned();
                skipped.push(Skipped { file: folder.display().to_string(), reason });
                continue;
            };
            skipped.extend(inner.unnameable.iter().map(|file| unnameable(&folder, file)));
            let (pictures, rest): (Vec<String>, Vec<String>) =
                inner.files.into_iter().partition(|name| is_picture_name(name));
            other.extend(rest.into_iter().map(|file| format!("{name}/{file}")));
            other.extend(inner.folders.iter().map(|file| format!("{name}/{file}/")));
            match pictures.is_empty() {
                false => classes.push(Class { name: name.clone(), folder, pictures }),
                true => {
                    deeper = deeper.or_else(|| picture_below(&folder, &inner.folders));
                    empty.push(format!("{name}/"));
                }
            }
        }
        if let Some(picture) = deeper {
            return Err(too_deep(&contents.path, &picture));
        }
        let mut notes = Vec::new();
        let beside = contents.files.iter().filter(|name| is_picture_name(name));
        note(
            &mut notes,
            beside,
            "pictures beside the class folders belong to no class, and are left out",
        );
        note(&mut notes, empty.iter(), "folders without pictures are no classes");
        note(&mut notes, other.iter(), "not named as pictures in class folders, and left out");
        let any = !classes.is_empty() || !skipped.is_empty();
        Ok(any.then_some(Self { classes, skipped, notes }))
    }

    fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.skipped.is_empty()
    }

    fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    /// The pictures, labelled as `names` has the classes.
    fn pictures(self, names: &[String], path: &Path) -> Result<Pictures, Error> {
        let found = self.names();
        let mut pictures = Pictures { entries: Vec::new(), skipped: self.skipped };
        for class in self.classes {
            // Names are sorted: they come from `Contents`.
            let Ok(label) = names.binary_search(&class.name) else {
                return Err(Error::classes(&path.display().to_string(), names, &found));
            };
            pictures.entries.extend(class.pictures.iter().map(|name| Entry {
                place: Place::File(class.folder.join(name)),
                label: label as u32,
            }));
        }
        Ok(pictures)
    }
}

/// What cannot be called by its name.
fn unnameable(folder: &Path, name: &str) -> Skipped {
    let file = folder.join(name).display().to_string();
    Skipped { file, reason: "its name is not UTF-8: rename it".into() }
}

/// Folders of parts whose pictures are in no class folders.
fn no_classes(contents: &Contents, parts: &[Class]) -> Error {
    let names: Vec<String> = parts.iter().map(|part| format!("`{}`", part.name)).collect();
    Error::Inconsistent {
        name: contents.path.display().to_string(),
        expected: "class folders, or a table of files and labels".into(),
        found: format!(
            "pictures in {} without classes: put those of each class into a folder of their own, as in `{}/CLASS/`",
            names.join(" and "),
            parts[0].name
        ),
    }
}

/// Whether a folder is a link to one that it is in.
fn leads_back(parent: &Path, folder: &Path) -> bool {
    folder.is_symlink()
        && match (parent.canonicalize(), folder.canonicalize()) {
            (Ok(parent), Ok(folder)) => parent.starts_with(folder),
            _ => false,
        }
}

/// A picture one level below a folder, if there is one.
fn picture_below(folder: &Path, folders: &[String]) -> Option<PathBuf> {
    folders.iter().find_map(|name| {
        let inner = Contents::of(&folder.join(name)).ok()?;
        let picture = inner.files.iter().find(|name| is_picture_name(name))?;
        Some(inner.path.join(picture))
    })
}

fn too_deep(path: &Path, picture: &Path) -> Error {
    Error::Inconsistent {
        name: path.display().to_string(),
        expected: "pictures in class folders, one level down (or under train/, val/ and test/)"
            .into(),
        found: format!(
            "`{}` two levels down: give a folder further down, or move the pictures up",
            picture.display()
        ),
    }
}

fn join(
    contents: &Contents,
    train: Option<ClassFolders>,
    validation: Option<ClassFolders>,
    test: Option<ClassFolders>,
) -> Result<Listing, Error> {
    let path = &contents.path;
    let first = train.as_ref().or(validation.as_ref()).or(test.as_ref());
    let class_names = first.map(ClassFolders::names).unwrap_or_default();
    let mut notes = Vec::new();
    for part in [&train, &validation, &test].into_iter().flatten() {
        notes.extend(part.notes.iter().cloned());
    }
    let of =
        |part: Option<ClassFolders>| part.map(|part| part.pictures(&class_names, path)).transpose();
    let (train, validation, test) = (of(train)?, of(validation)?, of(test)?);
    Listing::new(Format::Folders, path, class_names, [train, validation, test], notes)
}

/// Notes what is left out, with the first few names.
fn note<'a>(notes: &mut Vec<String>, names: impl Iterator<Item = &'a String>, words: &str) {
    const SHOWN: usize = 3;
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        return;
    }
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    let shown = names[..names.len().min(SHOWN)].join(", ");
    notes.push(format!("{} {words}: {shown}{more}", names.len()));
}
