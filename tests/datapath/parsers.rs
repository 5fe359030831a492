//! The corpus of the parsers' fuzzer: each input has a name, and does what it did when it was new.

use std::{fs, path::Path};

use netctl_tests::{need::source, parsers::ALL};

#[test]
fn every_named_input_keeps_its_property() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/parsers/corpus"));
    for (parser, property) in ALL {
        let folder = corpus.join(parser);
        let mut inputs = 0;
        for entry in source(&folder) {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            println!("{}", path.display());
            property(&bytes);
            inputs += 1;
        }
        assert!(inputs > 2, "{parser}: {inputs} inputs");
    }
}
