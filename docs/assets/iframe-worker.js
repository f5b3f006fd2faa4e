// Browsers start no Worker from a page that was opened as a file. There the search's worker runs in a hidden frame.
// The theme looks for `parent.IFrameWorker` and for the frame's script, and waits for `importScripts`.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inner = frame.contentWindow
      inner.postMessage = data => {
        const event = new MessageEvent("message", { data })
        this.dispatchEvent(event)
        if (typeof this.onmessage === "function") this.onmessage(event)
      }
      const load = src => new Promise((resolve, reject) => {
        const script = inner.document.createElement("script")
        script.src = src
        script.onload = resolve
        script.onerror = () => reject(new Error(`can't load ${src}`))
        inner.document.head.append(script)
      })
      inner.importScripts = (...urls) => urls.reduce((before, src) => before.then(() => load(src)), Promise.resolve())
      this.inner = inner
      this.ready = load(new URL(url, document.baseURI).href)
    }

    postMessage(data) {
      this.ready.then(() => this.inner.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.inner.frameElement?.remove()
    }
  }
  window.Worker = window.IFrameWorker
}
