import { LabIcon } from '@jupyterlab/ui-components';

/** An icon on a 24-unit grid whose shapes take the theme's icon colour. */
function icon(name: string, shapes: string): LabIcon {
  return new LabIcon({
    name: `carrel:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161">${shapes}</g></svg>`
  });
}

/** A study desk between two partitions, books on it. */
export const carrelIcon = icon(
  'carrel',
  '<path d="M3 4h2v9h14V4h2v16h-2v-5H5v5H3z"/><path d="M7 6h2.5v6H7zM10.5 4H13v8h-2.5zM14 6.1l2.3-.8 2.4 6.7h-2.6z"/>'
);

export const environmentIcon = icon(
  'environment',
  '<path d="M12 2.3 20.6 7.2v9.6L12 21.7l-8.6-4.9V7.2zm0 2.3L5.4 8.3v7.4l6.6 3.7 6.6-3.7V8.3z"/><path d="m12 8 3.6 2v4L12 16l-3.6-2v-4z"/>'
);

export const publishIcon = icon(
  'publish',
  '<path d="M11 15V6.8L7.9 9.9 6.5 8.5 12 3l5.5 5.5-1.4 1.4L13 6.8V15z"/><path d="M4 14h2v4h12v-4h2v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2z"/>'
);

export const openHubIcon = icon(
  'open-hub',
  '<path d="M11 3h2v8.2l3.1-3.1 1.4 1.4L12 15 6.5 9.5l1.4-1.4 3.1 3.1z"/><path d="M4 14h2v4h12v-4h2v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2z"/>'
);

export const pinIcon = icon('pin', '<path d="M8 3h8v2l-1 .6V11l3 3v2h-5v5l-1 1-1-1v-5H6v-2l3-3V5.6L8 5z"/>');

export const lockIcon = icon(
  'lock',
  '<path d="M12 2a5 5 0 0 1 5 5v2h1a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2h1V7a5 5 0 0 1 5-5zm0 2a3 3 0 0 0-3 3v2h6V7a3 3 0 0 0-3-3zm0 9a1.5 1.5 0 0 0-.8 2.8V18h1.6v-2.2A1.5 1.5 0 0 0 12 13z"/>'
);

export const warningIcon = icon(
  'warning',
  '<path d="M12 3 22 20.5H2zm-1 7v5h2v-5zm0 6.5v2h2v-2z" fill-rule="evenodd"/>'
);

export const infoIcon = icon(
  'info',
  '<path d="M12 2a10 10 0 1 1 0 20 10 10 0 0 1 0-20zm0 2a8 8 0 1 0 0 16 8 8 0 0 0 0-16zm-1 7h2v6h-2zm0-4h2v2h-2z" fill-rule="evenodd"/>'
);

export const tickIcon = icon('tick', '<path d="m9.5 17.6-5-5 1.5-1.5 3.5 3.5L18 6.1l1.5 1.5z"/>');

export const notebookShareIcon = icon(
  'notebook',
  '<path d="M6 2h12a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm3 2H6v16h3zm2 0v16h7V4zm2 3h3.5v2H13z" fill-rule="evenodd"/>'
);
