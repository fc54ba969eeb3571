use lampyris::prelude::*;

struct Account;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = Account)]
struct Login;

fn main() {}
