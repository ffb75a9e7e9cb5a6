/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what the firmware starts. It starts systemd-boot from the same disk and, should that ever come back,
 * resets the machine.
 *
 * Why: systemd-boot ends when an image can't be loaded (broken, or unsigned under Secure Boot), and many a firmware
 * then waits in a menu for somebody to press a key. Reset instead, boot counting runs down, and the next slot, or
 * the factory's, is tried.
 */
#include <efi.h>
#include <efilib.h>

#define LOADER L"\\EFI\\systemd\\systemd-bootx64.efi"
#ifdef __aarch64__
#undef LOADER
#define LOADER L"\\EFI\\systemd\\systemd-bootaa64.efi"
#endif

#define PAUSE_US 3000000 /* a message can be read, and a machine that can't boot at all does not spin */

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_LOADED_IMAGE *self;
	EFI_DEVICE_PATH *path;
	EFI_HANDLE loader = NULL;
	EFI_STATUS status;

	InitializeLib(image, system);
	status = uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol,
				   (void **)&self);
	if (!EFI_ERROR(status)) {
		path = FileDevicePath(self->DeviceHandle, LOADER);
		status = path ? uefi_call_wrapper(BS->LoadImage, 6, FALSE, image, path, NULL, 0,
						  &loader)
			      : EFI_OUT_OF_RESOURCES;
	}
	if (!EFI_ERROR(status))
		status = uefi_call_wrapper(BS->StartImage, 3, loader, NULL, NULL);
	Print(L"TARN guard status=%r action=reset\r\n", status);
	uefi_call_wrapper(BS->Stall, 1, PAUSE_US);
	uefi_call_wrapper(RT->ResetSystem, 4, EfiResetCold, EFI_SUCCESS, 0, NULL);
	return status;
}
