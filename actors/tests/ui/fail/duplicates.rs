use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String)]
struct Login;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login")]
#[remote(reply = String)]
struct Attribute;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = String, reply = u32)]
struct Twice;

#[derive(Command)]
#[command(1, serial, serial)]
struct Serial;

#[derive(Service)]
#[service(name = "gate", serves(Login, Login))]
struct Listed;

lampyris::service! { Door { Login } }

#[derive(Service)]
#[service(name = "gate", serves(Login), contract = Door)]
struct Both;

fn main() {}
