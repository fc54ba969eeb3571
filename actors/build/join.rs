//! Joins modules of the page into one, so that a first visit asks for few files: each keeps a scope of its own, and what
//! it exports is a constant for those behind it. Knows the one style of imports and exports that the page is written in,
//! and refuses any other; must not know which modules there are.

/// One module: its path, and its text.
pub(crate) type Module = (String, String);

/// All of `modules` as one, in their order: each may import from those before it, and from the works of others.
pub(crate) fn join(modules: &[Module]) -> Result<String, String> {
    let (mut outside, mut inside, mut ends) = (String::new(), String::new(), String::new());
    let mut before: Vec<&str> = Vec::new();
    let (mut known, mut foreign) = (Vec::new(), Vec::new());
    for (path, text) in modules {
        let mut exports = Vec::new();
        inside.push_str(&format!(
            "// {path}\nconst {} = await (async () => {{\n",
            constant(path)
        ));
        for line in text.lines() {
            let wrong = || format!("{path} cannot be joined: {line}");
            if line.starts_with("import ") {
                let (names, from) = parts(line).ok_or_else(wrong)?;
                if from.starts_with("./vendor/") {
                    outside.push_str(&format!("{line}\n"));
                    foreign.extend(list(names).map(str::to_owned));
                } else {
                    let from = before.iter().find(|path| from == format!("./{path}"));
                    let from = constant(from.ok_or_else(wrong)?);
                    inside.push_str(&format!("const {names} = {from};\n"));
                }
            } else if let Some(rest) = line.strip_prefix("export ") {
                let (names, rest) = exported(rest).ok_or_else(wrong)?;
                exports.extend(names);
                inside.push_str(&format!("{rest}\n"));
            } else {
                inside.push_str(&format!("{line}\n"));
            }
        }
        if let Some(twice) = exports.iter().find(|name| known.contains(*name)) {
            return Err(format!("{path} exports {twice}, as one before it does"));
        }
        inside.push_str(&format!("return {{ {} }};\n}})();\n", exports.join(", ")));
        // What comes from outside has its name here already.
        let (through, own): (Vec<&str>, Vec<&str>) = exports
            .iter()
            .map(String::as_str)
            .partition(|name| foreign.iter().any(|known| known == name));
        if !through.is_empty() {
            ends.push_str(&format!("export {{ {} }};\n", through.join(", ")));
        }
        if !own.is_empty() {
            ends.push_str(&format!(
                "export const {{ {} }} = {};\n",
                own.join(", "),
                constant(path)
            ));
        }
        known.extend(exports);
        before.push(path);
    }
    Ok(outside + &inside + &ends)
}

/// The text of a module that is not joined: what it imports from the `joined` comes from the module `whole`, which is in
/// their folder.
pub(crate) fn redirect(text: &str, joined: &[&str], whole: &str) -> String {
    let line = |line: &str| {
        let Some((_, from)) = parts(line).filter(|_| line.starts_with("import ")) else {
            return format!("{line}\n");
        };
        let name = from.trim_start_matches("../").trim_start_matches("./");
        match joined.contains(&name) {
            true => format!(
                "{}\n",
                line.replace(&format!("/{name}\""), &format!("/{whole}\""))
            ),
            false => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

/// The names in `import { one, other } from "./path";`, with their braces, and the path; `import one` has no braces.
fn parts(line: &str) -> Option<(&str, &str)> {
    let (names, from) = line.strip_prefix("import ")?.split_once(" from \"")?;
    let plain = !names.contains(" as ") && !names.contains('*');
    Some((names, from.strip_suffix("\";")?)).filter(|_| plain)
}

/// Names one by one, as they stand in braces or alone.
fn list(names: &str) -> impl Iterator<Item = &str> {
    names.trim_matches(['{', '}', ' ']).split(", ")
}

/// What an export names, and what is left of its line in a scope; of things that stay as they are.
fn exported(rest: &str) -> Option<(Vec<String>, &str)> {
    if let Some(names) = rest.strip_prefix('{').and_then(|names| names.strip_suffix(" };")) {
        let plain = !names.contains(" as ");
        return plain.then(|| (list(names).map(str::to_owned).collect(), ""));
    }
    let kinds = ["const ", "function ", "async function ", "class "];
    let named = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let name: String = named
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect();
    (!name.is_empty()).then(|| (vec![name], rest))
}

/// What stands for a module.
fn constant(path: &str) -> String {
    path.replace(['.', '/'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, text: &str) -> Module {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn each_module_keeps_its_scope_and_gives_what_it_exports() {
        let first = "import htm from \"./vendor/htm.mjs\";\nconst own = 1;\nexport const one = () => own;\n\
                     export async function two() {}\nexport { htm };";
        let second = "import { one, two } from \"./a.js\";\nconst own = 2;\none(await two());";
        let joined = join(&[module("a.js", first), module("b.js", second)]).unwrap();
        let wanted = "import htm from \"./vendor/htm.mjs\";\n// a.js\nconst a_js = await (async () => {\nconst own = 1;\n\
                      const one = () => own;\nasync function two() {}\n\nreturn { one, two, htm };\n})();\n// b.js\n\
                      const b_js = await (async () => {\nconst { one, two } = a_js;\nconst own = 2;\none(await two());\n\
                      return {  };\n})();\nexport { htm };\nexport const { one, two } = a_js;\n";
        assert_eq!(joined, wanted);
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        for text in [
            "import { one } from \"./later.js\";",
            "import { one as other } from \"./a.js\";",
            "import * as all from \"./a.js\";",
            "export let changing = 1;",
            "export default 1;",
            "export { one } from \"./a.js\";",
            "export const one = 2;",
        ] {
            let modules = [module("a.js", "export const one = 1;"), module("b.js", text)];
            assert!(join(&modules).unwrap_err().contains("b.js"), "{text}");
        }
    }

    #[test]
    fn others_import_from_the_whole() {
        let text =
            "import { one } from \"../a.js\";\nimport { two } from \"../chart.js\";\nconst a = \"/a.js\";\n";
        let wanted = "import { one } from \"../app.js\";\nimport { two } from \"../chart.js\";\nconst a = \"/a.js\";\n";
        assert_eq!(redirect(text, &["a.js"], "app.js"), wanted);
    }
}
