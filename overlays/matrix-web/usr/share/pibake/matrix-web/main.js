// The whole of Hydrogen, as its own src/platform/web/main.js starts it.
import {
  createNavigation,
  createRouter,
  FeatureSet,
  Platform,
  RootViewModel,
  viewClassForTile,
} from 'hydrogen-view-sdk'

const at = (path) => new URL(`lib/${path}`, document.baseURI).href
const assets = 'hydrogen-view-sdk/asset-build/assets'

// Adds the credentials to what is shown as a picture. Browsers refuse it from a node whose certificate they do not know;
// all but pictures works without.
const serviceWorker = 'sw.js'
const hasWorker = await Promise.resolve(navigator.serviceWorker?.register(serviceWorker)).then(Boolean, () => false)

const platform = new Platform({
  container: document.body,
  configURL: 'config.json',
  assetPaths: {
    downloadSandbox: at(`${assets}/download-sandbox.html`),
    ...(hasWorker ? { serviceWorker } : {}),
    worker: at(`${assets}/main.js`),
    olm: {
      wasm: at('@matrix-org/olm/olm.wasm'),
      legacyBundle: at('@matrix-org/olm/olm_legacy.js'),
      wasmBundle: at('@matrix-org/olm/olm.js'),
    },
  },
})
if (!hasWorker) {
  const rests = { version: '0.3.1', buildHash: 'no service worker', checkForUpdate() {}, updateAuthData() {} }
  Object.defineProperty(platform, 'updateService', { value: rests })
}
await platform.init()
const navigation = createNavigation()
// The form for a new room goes to that room without waiting for it, so to none; the room is in the list when it is made.
const push = navigation.push.bind(navigation)
navigation.push = (type, ...value) => {
  if (type === 'room' && value.length > 0 && value[0] === undefined) navigation.applyPath(navigation.path.until('session'))
  else push(type, ...value)
}
platform.setNavigation(navigation)
const urlRouter = createRouter({ navigation, history: platform.history })
urlRouter.attach()
// Hydrogen puts days as headings into the list of messages, which readers of the screen then take for no list.
viewClassForTile({ shape: 'date-header' }).prototype.render = (t, day) =>
  t.li({ className: 'DateHeader' }, t.time({ dateTime: day.machineReadableDate }, day.relativeDate))
const features = await FeatureSet.load(platform.settingsStorage)
const root = new RootViewModel({ platform, urlRouter, navigation, features })
await root.load()
platform.createAndMountRootView(root)
