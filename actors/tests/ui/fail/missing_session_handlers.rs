use lampyris::prelude::*;

#[derive(Service)]
#[service(name = "net", sessions)]
struct Net;

impl Actor for Net {
    type Context = Context<Self>;
}

fn main() {}
