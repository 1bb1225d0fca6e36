import type { Project } from '../core/project.ts'
import { type Blobs, openBlobs } from './blobs.ts'
import { openStick } from './supply.ts'

/** The store of a checkout; what it lacks is taken in from the stick that pibake was started from, if any. */
export const projectBlobs = ({ cache, stick }: Pick<Project, 'cache' | 'stick'>): Blobs =>
  openBlobs(cache, stick === undefined ? undefined : openStick(stick))
