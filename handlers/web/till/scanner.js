// The camera as a scanner, where the browser can read QR codes by itself; elsewhere codes are typed.

const EVERY_MS = 150;

/** Whether this browser reads QR codes and has a camera to do it with. */
export async function canScan() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return false;
  try {
    return (await window.BarcodeDetector.getSupportedFormats()).includes("qr_code");
  } catch {
    return false;
  }
}

/** Show the camera until a code is read; its text, or null when the cashier closed it. Throws when there is no camera. */
export async function scan(dialog) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  const video = dialog.querySelector("video");
  try {
    video.srcObject = stream;
    dialog.showModal();
    await video.play();
    const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
    while (dialog.open) {
      const [code] = await detector.detect(video).catch(() => []);
      if (code?.rawValue) {
        navigator.vibrate?.(40);
        return code.rawValue;
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    return null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    dialog.close();
  }
}
