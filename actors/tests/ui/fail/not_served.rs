use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String)]
struct Login;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.logout")]
struct Logout;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "door.knock")]
struct Knock;

lampyris::service! { Door { Login, Knock } }

#[derive(Service)]
#[service(name = "gate", serves(Login, Knock))]
struct Gate;

impl Actor for Gate {
    type Context = Context<Self>;
}

impl Handler<Login> for Gate {
    type Result = Result<String, CallError>;

    fn handle(&mut self, _: Login, _: &mut Context<Self>) -> Self::Result {
        Ok(String::new())
    }
}

impl Handler<Knock> for Gate {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Knock, _: &mut Context<Self>) -> Self::Result {
        Ok(())
    }
}

fn main() {
    let _ = |gate: RemoteAddr<Gate>| gate.call(Logout);
    let _ = |door: RemoteAddr<Door>| door.notify(Logout);
}
