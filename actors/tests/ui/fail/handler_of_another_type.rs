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

impl Handler<Login> for Gate {
    type Result = Result<u32, CallError>;

    fn handle(&mut self, _: Login, _: &mut Context<Self>) -> Self::Result {
        Ok(1)
    }
}

fn main() {}
