/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's side in figures: what the BPF programs counted and how full their maps are, told to the data plane. */
#ifndef FIRMWARE_KEEPER_FIGURES_H
#define FIRMWARE_KEEPER_FIGURES_H

struct plane;
struct steer;

#define FIGURES_MS 5000 /* how often they are told */

void figures_tell(const struct steer *steer, struct plane *plane);

#endif
