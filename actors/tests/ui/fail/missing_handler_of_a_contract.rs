use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String)]
struct Login;

lampyris::service! { Door { Login } }

#[derive(Service)]
#[service(name = "gate", contract = Door)]
struct Gate;

impl Actor for Gate {
    type Context = Context<Self>;
}

fn main() {}
