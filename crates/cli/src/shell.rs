//! Paths as they can be typed into a shell.

use crate::safe_text;
use std::path::Path;

/// The path, in quotes where a shell would else take it apart.
pub(crate) fn quoted(path: &Path) -> String {
    let text = safe_text::one_line(&path.display().to_string());
    let plain = |c: char| c.is_alphanumeric() || "-_./+,@%:=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unusual_paths_are_quoted() {
        assert_eq!(
            quoted(Path::new("runs/mlp-1/model.safetensors")),
            "runs/mlp-1/model.safetensors"
        );
        assert_eq!(quoted(Path::new("my run's")), r"'my run'\''s'");
    }
}
