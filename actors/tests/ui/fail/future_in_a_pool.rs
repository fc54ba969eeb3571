use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String)]
struct Login;

#[derive(Service)]
#[service(name = "gate", serves(Login))]
struct Gate;

impl Actor for Gate {
    type Context = SyncContext<Self>;
}

impl Handler<Login> for Gate {
    type Result = Answer<Login>;

    fn handle(&mut self, _: Login, _: &mut SyncContext<Self>) -> Self::Result {
        Answer::ready(Ok(String::new()))
    }
}

fn main() {}
