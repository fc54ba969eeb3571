//! What the processes of a cluster have said, on their outputs and in their logs.

use super::Cluster;

/// How many of the last lines of a log are printed when a test fails.
const SHOWN: usize = 80;

impl Cluster {
    /// All that its processes have said, on their outputs and in their logs.
    pub fn everything_said(&self) -> String {
        let outputs = self
            .started()
            .iter()
            .map(|process| process.output())
            .collect::<String>();
        let logs = self.logs().into_iter().map(|(_, text)| text);
        outputs + &logs.collect::<String>()
    }

    /// The log of a node that the master started; empty if there is none yet.
    pub fn log(&self, name: &str) -> String {
        let file = self.run_dir().join("logs").join(format!("{name}.log"));
        std::fs::read(file).map_or_else(
            |_| String::new(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn logs(&self) -> Vec<(String, String)> {
        let Ok(files) = std::fs::read_dir(self.run_dir().join("logs")) else {
            return Vec::new();
        };
        let read = |file: std::fs::DirEntry| {
            let text = std::fs::read(file.path()).ok()?;
            let name = file.file_name().to_string_lossy().into_owned();
            Some((name, String::from_utf8_lossy(&text).into_owned()))
        };
        files.flatten().filter_map(read).collect()
    }

    pub(super) fn report(&self) -> String {
        let outputs = self.started();
        let outputs = outputs.iter().map(|process| {
            let end = process
                .has_ended()
                .map_or("alive".into(), |end| format!("{end:?}"));
            (
                format!("output of [{}], {end}", process.label()),
                process.output(),
            )
        });
        outputs
            .chain(self.logs())
            .map(|(title, text)| {
                let lines: Vec<&str> = text.lines().collect();
                let last = &lines[lines.len().saturating_sub(SHOWN)..];
                format!("==== {title}\n{}\n", last.join("\n"))
            })
            .collect()
    }
}
