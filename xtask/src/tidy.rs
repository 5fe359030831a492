//! House rules that neither rustfmt nor clippy knows.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

const MAX_LINES: usize = 400;

/// Written in two halves, so that this file does not break its own rules.
const NOTES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const IGNORE: &str = concat!("#[", "ignore");

/// Checks every Rust file of the workspace.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut complaints = Vec::new();
    visit(root, &mut |path, text| {
        let name = path.strip_prefix(root).unwrap_or(path).display();
        complaints.extend(
            complaints_about(text)
                .into_iter()
                .map(|complaint| format!("{name}{complaint}")),
        );
    })?;
    complaints.sort();
    ensure!(
        complaints.is_empty(),
        "house rules broken:\n  {}",
        complaints.join("\n  ")
    );
    Ok(())
}

fn visit(folder: &Path, each: &mut impl FnMut(&Path, &str)) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("list folder {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list folder {}", folder.display()))?;
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry
            .file_type()
            .with_context(|| format!("look at {}", path.display()))?;
        if kind.is_dir() {
            // Generated files and git's own are not ours to judge.
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                visit(&path, each)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            each(&path, &text);
        }
    }
    Ok(())
}

/// Each begins where the file's name ends.
fn complaints_about(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints.push(format!(
            ": {lines} lines, more than {MAX_LINES}: split it by concept"
        ));
    }
    for (number, line) in (1..).zip(text.lines()) {
        for note in NOTES {
            if line
                .match_indices(note)
                .any(|(at, _)| !line[at + note.len()..].starts_with("(#"))
            {
                complaints.push(format!(
                    ":{number}: {note} without an issue: write {note}(#123)"
                ));
            }
        }
        if line.trim_start().starts_with(IGNORE) {
            complaints.push(format!(
                ":{number}: {IGNORE}]: a test that does not run proves nothing; mend or remove it"
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_need_an_issue() {
        let [note, _] = NOTES;
        assert_eq!(complaints_about(&format!("// {note}(#12): later")), [""; 0]);
        assert_eq!(
            complaints_about(&format!("fine\n// {note}: later")),
            [format!(":2: {note} without an issue: write {note}(#123)")]
        );
    }

    #[test]
    fn ignored_tests_are_refused() {
        assert_eq!(complaints_about(&format!("    {IGNORE}]")).len(), 1);
        assert_eq!(
            complaints_about(&format!("    {IGNORE} = \"slow\"]")).len(),
            1
        );
    }

    #[test]
    fn length_is_limited() {
        assert_eq!(complaints_about(&"a\n".repeat(MAX_LINES)), [""; 0]);
        assert_eq!(complaints_about(&"a\n".repeat(MAX_LINES + 1)).len(), 1);
    }
}
