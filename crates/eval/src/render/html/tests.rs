use super::*;
use crate::predictions::Predictions;

/// A report over these classes; `labels` are true, and `predicted` has probability 3/4.
fn report(names: &[String], labels: &[u32], predicted: &[usize]) -> Report {
    let other = 0.25 / (names.len() - 1) as f32;
    let row = |&p: &usize| (0..names.len()).map(move |c| if c == p { 0.75 } else { other });
    let probabilities = predicted.iter().flat_map(row).collect();
    let predictions = Predictions::new(names.to_vec(), probabilities).expect("valid");
    Report::new(&predictions.with_labels(labels).expect("valid")).expect("labelled")
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

/// A page of this report alone.
fn page(report: &Report) -> String {
    html(&Page { title: "Pets", part: "test", report, charts: &[], facts: &[] })
}

/// Every opened element is closed in its order; elements that are never closed are left out.
fn assert_balanced(html: &str) {
    let mut open = Vec::new();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let name = tag.split([' ', '\n']).next().expect("a name");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if tag.ends_with('/') || matches!(name, "!DOCTYPE" | "meta") => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn says_what_was_measured() {
    // 7 of 10 after Wilson, as in the text renderer's test.
    let labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    let found = page(&report(&names(3), &labels, &[0, 0, 2, 2, 1, 1, 0, 2, 2, 2]));
    let expected = [
        "<p class=\"value\">70.00\u{A0}%</p><p>7 of 10 test images right</p>",
        "between <b>39.68\u{A0}%</b> and <b>89.22\u{A0}%</b> right",
        "blind guessing gives 1.10",
        "<th scope=\"row\"><bdi>class 1</bdi></th><td class=\"bar\" style=\"--share:1.0000\">100.00\u{A0}%</td>",
        "<b><bdi>class 0</bdi></b> was taken for <b><bdi>class 2</bdi></b> in 2 of 4 images (50.00\u{A0}%)",
    ];
    for text in expected {
        assert!(found.contains(text), "{text} is not in {found}");
    }
    assert_balanced(&found);
}

#[test]
fn heat_is_relative_to_the_row_and_to_the_worst_mistake() {
    let labels = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
    let found = page(&report(&names(3), &labels, &[0, 0, 2, 2, 1, 1, 0, 2, 2, 2]));
    let cell = |class: &str, title: &str, count: u64| {
        let cell = format!("<td class=\"{class}\" title=\"{title}\u{A0}%)\">{count}</td>");
        assert!(found.contains(&cell), "{cell} is not in {found}");
    };
    cell("d h4", "class 0 taken for class 0: 2 of 4 (50.00", 2);
    cell("w h8", "class 0 taken for class 2: 2 of 4 (50.00", 2);
    cell("w h6", "class 1 taken for class 0: 1 of 3 (33.33", 1); // 1/3 of 1/2: 5.3 of 8
    cell("d h8", "class 2 taken for class 2: 3 of 3 (100.00", 3);
}

#[test]
fn needs_nothing_from_outside() {
    let found = page(&report(&names(2), &[0, 1], &[0, 0]));
    for text in ["http:", "https:", "<script", "<link", "<img", "url(", "@import", "src="] {
        assert!(!found.contains(text), "{text}");
    }
    assert!(found.contains("Content-Security-Policy") && found.contains("prefers-color-scheme"));
}

#[test]
fn text_from_outside_is_escaped_everywhere() {
    let evil = "\"><script>x</script>'\u{202E}\0";
    let names = vec![evil.to_owned(), "\u{202E}".to_owned()];
    let series = vec![Series { name: evil.to_owned(), points: vec![(1.0, 1.0)] }];
    let (unit, scale) = (Unit::Number, Scale::Linear);
    let (title, x_label) = (evil.to_owned(), evil.to_owned());
    let found = html(&Page {
        title: evil,
        part: evil,
        report: &report(&names, &[0, 1], &[1, 1]),
        charts: &[Chart { title, x_label, unit, scale, series }],
        facts: &[(evil.to_owned(), evil.to_owned())],
    });
    assert!(!found.contains("<script") && !found.contains(['\u{202E}', '\0']));
    assert!(found.contains("⟨U+202E⟩"));
    assert_balanced(&found);
}

#[test]
fn a_perfect_result_has_no_mistakes() {
    let found = page(&report(&names(2), &[0, 1], &[0, 1]));
    assert!(found.contains("<p>No mistakes.</p>") && !found.contains("class=\"w "));
}

#[test]
fn a_class_without_images_divides_nothing_by_nothing() {
    let found = page(&report(&names(3), &[0, 0], &[0, 0]));
    assert!(!found.contains("NaN") && !found.contains("inf"), "{found}");
}

#[test]
fn hundreds_of_classes_are_listed_without_a_matrix() {
    let (classes, labels) = (names(151), [0, 150]);
    let found = page(&report(&classes, &labels, &[0, 150]));
    assert!(found.contains("The matrix of 151 classes is too large"));
    let found = page(&report(&classes[..100], &[0, 99], &[0, 99]));
    let (_, matrix) = found.split_once("class=\"matrix\"").expect("a matrix");
    assert_eq!(matrix.matches("<td>0</td>").count(), 100 * 100 - 2);
    assert!(found.len() < 400_000, "{} bytes", found.len());
}

#[test]
fn long_names_are_turned_over_their_columns() {
    let short = ["0", "1"].map(str::to_owned);
    assert!(!page(&report(&short, &[0, 1], &[0, 1])).contains("<tr class=\"turned\">"));
    assert!(page(&report(&names(2), &[0, 1], &[0, 1])).contains("<tr class=\"turned\">"));
}

#[test]
fn facts_and_curves_are_shown_where_there_are_some() {
    let report = report(&names(2), &[0, 1], &[0, 1]);
    let plain = page(&report);
    assert!(!plain.contains("How it was made") && !plain.contains("<h2>Training</h2>"));
    let series =
        vec![Series { name: "training".to_owned(), points: vec![(1.0, 0.5), (2.0, 0.25)] }];
    let (unit, scale) = (Unit::Number, Scale::Logarithmic);
    let (title, x_label) = ("Loss".to_owned(), "epoch".to_owned());
    let charts = [Chart { title, x_label, unit, scale, series }];
    let facts = [("seed".to_owned(), "7".to_owned())];
    let full = html(&Page {
        title: "Pets",
        part: "test",
        report: &report,
        charts: &charts,
        facts: &facts,
    });
    assert!(full.contains("<dt>seed</dt><dd><bdi>7</bdi></dd>"));
    assert!(full.contains("aria-label=\"Loss. training: from 0.5000 to 0.2500 at epoch 2\""));
    assert_balanced(&full);
}
