use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String)]
struct Login;

#[derive(Service)]
#[service(name = "gate", serves(Login))]
struct Gate;

impl Actor for Gate {
    type Context = Context<Self>;
}

fn main() {}
