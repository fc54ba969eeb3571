use lampyris::prelude::*;

#[derive(Remote)]
#[remote(name = "gate.login")]
struct Login {
    player: String,
}

fn main() {}
