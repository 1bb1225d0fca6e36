// Modules for Node.js leave what they export in `module.exports`: keeps that of the script before this one under its name,
// and lays out an empty one for the next.
{
  const { name } = document.currentScript.dataset
  if (name) window.commonModules = { ...window.commonModules, [name]: window.module.exports }
  window.module = { exports: {} }
  window.exports = window.module.exports
}
