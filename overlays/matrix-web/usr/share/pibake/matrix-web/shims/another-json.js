export default window.commonModules['another-json']
