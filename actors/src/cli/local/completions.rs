//! `completions`: a script that completes commands and options in a shell, and asks the program itself for the names
//! of nodes while one types.

use clap::{Args, Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::program;
use crate::console::print_line;

/// How the help calls an argument that is the name of a node.
const NODE: &str = "NODE";

/// Prints a script.
#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints it; gives the exit code.
    pub(super) fn run(&self) -> u8 {
        print_line(script(self.shell, &program()).trim_end());
        0
    }
}

fn script(shell: Shell, program: &str) -> String {
    let mut command = crate::cli::args::Args::command();
    let mut made = Vec::new();
    generate(shell, &mut command, program, &mut made);
    let made = String::from_utf8_lossy(&made).into_owned();
    let commands = with_nodes(&command);
    match shell {
        Shell::Bash => bash(&made, program, &commands),
        Shell::Zsh => zsh(&made, program),
        Shell::Fish => made + &fish(program, &commands),
        _ => made,
    }
}

/// The commands that take names of nodes.
fn with_nodes(command: &Command) -> Vec<String> {
    let takes = |command: &&Command| command.get_positionals().any(is_node);
    let taking = command.get_subcommands().filter(takes);
    taking.map(|command| command.get_name().to_owned()).collect()
}

fn is_node(argument: &clap::Arg) -> bool {
    let names = argument.get_value_names().unwrap_or_default();
    names.iter().any(|name| name.as_str() == NODE)
}

/// The script's own function stays; this one calls it, and adds the nodes where one may stand.
fn bash(made: &str, program: &str, commands: &[String]) -> String {
    let function = identifier(program);
    // The script begins with its function, whose name is its own choice.
    let inner = made.split("()").next().unwrap_or_default().trim();
    let pattern: Vec<String> = commands
        .iter()
        .map(|command| format!("*\" {command} \"*"))
        .collect();
    let pattern = if pattern.is_empty() {
        "\"\"".to_owned()
    } else {
        pattern.join("|")
    };
    format!(
        r#"{made}
_{function}_with_nodes() {{
    {inner} "$@"
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" nodes=""
    [[ "$word" == -* ]] && return 0
    if [[ "$before" == --role ]]; then
        COMPREPLY=()
        nodes="master client $("${{COMP_WORDS[0]}}" config nodes 2>/dev/null)"
    else
        case " ${{COMP_WORDS[*]:1:COMP_CWORD-1}} " in
            {pattern}) nodes="$("${{COMP_WORDS[0]}}" config nodes 2>/dev/null)" ;;
        esac
    fi
    [[ -n "$nodes" ]] && COMPREPLY+=($(compgen -W "$nodes" -- "$word"))
    return 0
}}
complete -F _{function}_with_nodes -o bashdefault -o default {program}
"#
    )
}

/// Where the script completes nothing for a node, it completes nodes.
fn zsh(made: &str, program: &str) -> String {
    let function = format!("_{}_nodes", identifier(program));
    let asking = format!(
        "{function}() {{\n    local -a nodes\n    nodes=(${{(f)\"$($words[1] config nodes 2>/dev/null)\"}})\n    compadd -a \
         nodes\n}}\n\n"
    );
    let lines = made.lines().map(|line| {
        let of_node =
            line.contains("::nodes -- ") || line.contains("::node -- ") || line.contains(":node -- ");
        match of_node || line.contains("--role=") {
            true => line.replace(":_default'", &format!(":{function}'")),
            false => line.to_owned(),
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    // The first line says for which program it is, and must stay the first.
    match text.split_once('\n') {
        Some((first, rest)) => format!("{first}\n\n{asking}{rest}"),
        None => text,
    }
}

fn fish(program: &str, commands: &[String]) -> String {
    let ask = "(commandline -opc)[1] config nodes 2>/dev/null";
    let role = format!("complete -c {program} -l role -x -a \"(eval {ask})\"\n");
    if commands.is_empty() {
        return role;
    }
    let seen = commands.join(" ");
    role + &format!(
        "complete -c {program} -n \"__fish_seen_subcommand_from {seen}\" -f -a \"(eval {ask})\"\n"
    )
}

/// A program's name as a part of a function's.
fn identifier(program: &str) -> String {
    program
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = script(*shell, "my-game");
            for word in ["check-config", "completions", "explain"] {
                assert!(script.contains(word), "{shell}: no {word}");
            }
            assert!(script.len() > 2000, "{shell}");
        }
    }

    #[test]
    fn commands_with_nodes_are_found_by_the_name_of_their_argument() {
        let bash_script = script(Shell::Bash, "my-game");
        let inner = bash_script.split("()").next().unwrap();
        assert!(bash_script.contains(&format!("    {inner} \"$@\"")), "{inner}");
        let taking = Command::new("stop").arg(clap::Arg::new("nodes").value_name("NODE").num_args(0..));
        let other = Command::new("explain").arg(clap::Arg::new("code").value_name("CODE"));
        assert_eq!(
            with_nodes(&Command::new("x").subcommands([taking, other])),
            ["stop"]
        );
        assert!(
            bash("_x() {", "x", &["stop".to_owned(), "kill".to_owned()])
                .contains("*\" stop \"*|*\" kill \"*) nodes=")
        );
        assert!(fish("x", &["stop".to_owned()]).contains("__fish_seen_subcommand_from stop"));
        let line = "'*::nodes -- Which:_default' \\";
        let script = zsh(&format!("#compdef my-x\n{line}\n"), "my-x");
        assert!(
            script.starts_with("#compdef my-x\n") && script.contains("Which:_my_x_nodes'"),
            "{script}"
        );
    }
}
