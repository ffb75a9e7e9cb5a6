/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: what the firmware starts. It starts systemd-boot from the same disk and, should that ever come back, sees
 * to it that some system runs.
 *
 * Why: systemd-boot ends when an image can't be loaded (broken, or unsigned under Secure Boot), and many a firmware
 * then waits in a menu for somebody to press a key. If the loader has counted that start, the machine is reset: counting
 * runs down, and the next slot is tried. If it has not, a reset would end here again for ever: that image was good once,
 * or the loader itself is broken. Then the factory's system, beside the guard, is started, and told what was not loaded.
 *
 * It also notes which disk that is: others with the same image on them have the same ids, and the loader tells the system no more.
 */
#include <efi.h>
#include <efilib.h>

#define LOADER L"\\EFI\\systemd\\systemd-bootx64.efi"
#ifdef __aarch64__
#undef LOADER
#define LOADER L"\\EFI\\systemd\\systemd-bootaa64.efi"
#endif

#define FACTORY L"\\EFI\\Linux"
#define PAUSE_US                                                                                   \
	3000000 /* a message can be read, and a machine that can't boot at all does not spin */
#define NAME_MAX 128

/* systemd's Boot Loader Interface. */
static EFI_GUID loader_guid = {
	0x4a67b082, 0x0a4c, 0x41cf, { 0xb6, 0xc7, 0x44, 0x0b, 0x29, 0xbb, 0x8c, 0x4f }
};
/* Ours: firmware/boot/{assess,origin}.c read them. */
static EFI_GUID tarn_guid = {
	0x7461726e, 0x0000, 0x4000, { 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10 }
};

/* A variable of the loader, of which a name's length is kept. */
static BOOLEAN loader_says(CHAR16 *name, CHAR16 *value)
{
	UINTN size = NAME_MAX * sizeof(CHAR16);
	EFI_STATUS status =
		uefi_call_wrapper(RT->GetVariable, 5, name, &loader_guid, NULL, &size, value);

	value[EFI_ERROR(status) ? 0 : NAME_MAX - 1] = 0;
	return !EFI_ERROR(status) || status == EFI_BUFFER_TOO_SMALL;
}

/* A variable of ours for the system that is started; without it that one does as well as it can. */
static void note(CHAR16 *name, VOID *value, UINTN size)
{
	uefi_call_wrapper(RT->SetVariable, 5, name, &tarn_guid,
			  EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS, size,
			  value);
}

/* Returns only if that can't be started, or has ended. */
static EFI_STATUS start(EFI_HANDLE image, EFI_HANDLE device, CHAR16 *file)
{
	EFI_DEVICE_PATH *path = FileDevicePath(device, file);
	EFI_HANDLE loaded = NULL;
	EFI_STATUS status = EFI_OUT_OF_RESOURCES;

	if (path)
		status = uefi_call_wrapper(BS->LoadImage, 6, FALSE, image, path, NULL, 0, &loaded);
	if (!EFI_ERROR(status))
		status = uefi_call_wrapper(BS->StartImage, 3, loaded, NULL, NULL);
	return status;
}

/* The one system in our own partition. */
static EFI_STATUS factory_start(EFI_HANDLE image, EFI_HANDLE device)
{
	EFI_FILE_HANDLE root = LibOpenRoot(device), folder;
	EFI_FILE_INFO *info = AllocatePool(SIZE_OF_EFI_FILE_INFO + NAME_MAX * sizeof(CHAR16));
	EFI_STATUS status = EFI_NOT_FOUND;
	CHAR16 path[NAME_MAX + 16];
	UINTN size;

	if (!root || !info)
		return EFI_OUT_OF_RESOURCES;
	status = uefi_call_wrapper(root->Open, 5, root, &folder, FACTORY, EFI_FILE_MODE_READ, 0);
	while (!EFI_ERROR(status)) {
		size = SIZE_OF_EFI_FILE_INFO + NAME_MAX * sizeof(CHAR16);
		status = uefi_call_wrapper(folder->Read, 3, folder, &size, info);
		if (!EFI_ERROR(status) && !size)
			status = EFI_NOT_FOUND;
		if (EFI_ERROR(status) || info->Attribute & EFI_FILE_DIRECTORY)
			continue;
		SPrint(path, sizeof(path), FACTORY L"\\%s", info->FileName);
		return start(image, device, path);
	}
	return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	CHAR16 name[NAME_MAX], counted[NAME_MAX];
	EFI_DEVICE_PATH *from;
	EFI_LOADED_IMAGE *self;
	EFI_STATUS status;

	InitializeLib(image, system);
	status = uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol,
				   (void **)&self);
	if (!EFI_ERROR(status)) {
		from = DevicePathFromHandle(self->DeviceHandle);
		if (from)
			note(L"TarnDevicePath", from, DevicePathSize(from));
		status = start(image, self->DeviceHandle, LOADER);
		if (!loader_says(L"LoaderBootCountPath", counted)) {
			(void)loader_says(L"LoaderEntrySelected", name);
			Print(L"TARN guard unloadable=%s status=%r action=factory\r\n", name,
			      status);
			note(L"TarnUnloadable", name, (StrLen(name) + 1) * sizeof(CHAR16));
			status = factory_start(image, self->DeviceHandle);
		}
	}
	Print(L"TARN guard status=%r action=reset\r\n", status);
	uefi_call_wrapper(BS->Stall, 1, PAUSE_US);
	uefi_call_wrapper(RT->ResetSystem, 4, EfiResetCold, EFI_SUCCESS, 0, NULL);
	return status;
}
