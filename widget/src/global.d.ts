// The build inlines style sheets as text and defines the constants below.
declare module "*.css" {
  const text: string;
  export default text;
}

/** File name of the app chunk, with the hash of its content; set by the build of the loader. */
declare const APP_CHUNK: string;
