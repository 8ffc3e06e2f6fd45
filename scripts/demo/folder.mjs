export async function writeFolder() {}
