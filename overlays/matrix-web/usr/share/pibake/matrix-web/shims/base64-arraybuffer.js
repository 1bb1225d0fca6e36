export default window.commonModules['base64-arraybuffer']
