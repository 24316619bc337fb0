/* A PKCS#11 module that wraps a real one and misbehaves on order: a hang, a crash, or a return value of choice, before
 * or after the real call. For tests only.
 *
 *   FAULTY_MODULE   the real module
 *   FAULTY_ORDERS   a file with one order on its first line, read anew at each call:
 *                   FUNCTION before|after hang|wait|crash|return VALUE [once]
 *                   "wait" lasts until the file is gone.
 *                   FUNCTION is C_..., or "load" for the time of loading; "once" removes the file when it fires.
 *                   FUNCTION#N means its Nth call since the log was begun.
 *                   C_GenerateKeyPair before expose: the private key becomes extractable, whatever was asked for.
 *                   C_GetAttributeValue after retype VALUE: every key says that it is of this CKA_KEY_TYPE.
 *                   C_GetTokenInfo after flags VALUE: sets these flags of CK_TOKEN_INFO beside the real ones.
 *   FAULTY_LOG      a file to which the name of each called function is appended
 *
 * Every function of CK_FUNCTION_LIST (PKCS#11 v2.40) takes at most eight arguments that fit into machine words, so one
 * wrapper fits all on the ABIs that the tests run on (x86-64, aarch64): surplus arguments are ignored by the callee.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);

#define FUNCTIONS(X) \
  X(0, C_Initialize) X(1, C_Finalize) X(2, C_GetInfo) X(4, C_GetSlotList) X(5, C_GetSlotInfo) X(6, C_GetTokenInfo) \
  X(7, C_GetMechanismList) X(8, C_GetMechanismInfo) X(9, C_InitToken) X(10, C_InitPIN) X(11, C_SetPIN) \
  X(12, C_OpenSession) X(13, C_CloseSession) X(14, C_CloseAllSessions) X(15, C_GetSessionInfo) \
  X(16, C_GetOperationState) X(17, C_SetOperationState) X(18, C_Login) X(19, C_Logout) X(20, C_CreateObject) \
  X(21, C_CopyObject) X(22, C_DestroyObject) X(23, C_GetObjectSize) X(24, C_GetAttributeValue) \
  X(25, C_SetAttributeValue) X(26, C_FindObjectsInit) X(27, C_FindObjects) X(28, C_FindObjectsFinal) \
  X(29, C_EncryptInit) X(30, C_Encrypt) X(33, C_DecryptInit) X(34, C_Decrypt) X(42, C_SignInit) X(43, C_Sign) \
  X(48, C_VerifyInit) X(49, C_Verify) X(58, C_GenerateKey) X(59, C_GenerateKeyPair) X(64, C_GenerateRandom)
#define COUNT 68

struct function_list {
  unsigned char version[2];
  function functions[COUNT];
};

static struct function_list ours, *real;

/* In CK_TOKEN_INFO label, manufacturer, model and serial number (32 + 32 + 16 + 16 bytes) come before the flags. */
#define FLAGS_OFFSET 96
#define EXPOSE 0xE2B05EUL

static void misbehave(const char *action, int *has_value, word *value, const char *number) {
  if (!strcmp(action, "hang"))
    for (;;) pause();
  if (!strcmp(action, "wait"))
    while (!access(getenv("FAULTY_ORDERS"), F_OK)) usleep(2000);
  if (!strcmp(action, "crash")) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (!strcmp(action, "expose")) {
    *value = EXPOSE;
    return;
  }
  *has_value = !strcmp(action, "return");
  *value = strtoul(number, NULL, 0);
}

/* Tell whether this is the call that the order names: FUNCTION, or FUNCTION#N for the Nth one in the log. */
static int is_meant(char *function, const char *name) {
  char *count = strchr(function, '#'), line[64];
  const char *path = getenv("FAULTY_LOG");
  long calls = 0;
  FILE *log;
  if (count) *count++ = 0;
  if (strcmp(function, name)) return 0;
  if (!count) return 1;
  log = path ? fopen(path, "r") : NULL;
  if (!log) return 0;
  while (fscanf(log, "%63s", line) == 1) calls += !strcmp(line, name);
  fclose(log);
  return calls == strtol(count, NULL, 10);
}

/* Carry out the order for this function and moment, if there is one; tell whether it gives a return value. */
static int ordered(const char *name, const char *moment, word *value) {
  char function[64], when[16], action[16], number[32] = "0", once[8] = "";
  const char *path = getenv("FAULTY_ORDERS");
  FILE *file = path ? fopen(path, "r") : NULL;
  int has_value = 0, words;
  if (!file) return 0;
  words = fscanf(file, "%63s %15s %15s %31s %7s", function, when, action, number, once);
  fclose(file);
  if (words < 3 || strcmp(when, moment) || !is_meant(function, name)) return 0;
  if (!strcmp(once, "once") || !strcmp(number, "once")) unlink(path);
  misbehave(action, &has_value, value, number);
  return has_value;
}

struct attribute {
  word type;
  unsigned char *value;
  word length;
};

static void expose(struct attribute *template, word count) {
  for (word at = 0; at < count; at++)
    if (template[at].type == 0x162) /* CKA_EXTRACTABLE */
      *template[at].value = 1;
}

static void retype(struct attribute *template, word count, word type) {
  for (word at = 0; at < count; at++)
    if (template[at].type == 0x100 && template[at].value && template[at].length == sizeof type) /* CKA_KEY_TYPE */
      memcpy(template[at].value, &type, sizeof type);
}

static void note(const char *name) {
  const char *path = getenv("FAULTY_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fprintf(file, "%s\n", name);
  fclose(file);
}

static word call(int index, const char *name, word a, word b, word c, word d, word e, word f, word g, word h) {
  word result, value = 0;
  note(name);
  if (ordered(name, "before", &value)) return value;
  if (value == EXPOSE && !strcmp(name, "C_GenerateKeyPair")) expose((struct attribute *)e, f);
  result = real->functions[index](a, b, c, d, e, f, g, h);
  if (ordered(name, "after", &value)) return value;
  if (value && !strcmp(name, "C_GetAttributeValue")) retype((struct attribute *)c, d, value);
  if (!strcmp(name, "C_GetTokenInfo")) *(word *)(b + FLAGS_OFFSET) |= value;
  return result;
}

#define WRAPPER(index, name) \
  static word name(word a, word b, word c, word d, word e, word f, word g, word h) { \
    return call(index, #name, a, b, c, d, e, f, g, h); \
  }
FUNCTIONS(WRAPPER)

__attribute__((constructor)) static void load(void) {
  word ignored;
  note("load");
  ordered("load", "before", &ignored);
}

word C_GetFunctionList(struct function_list **list) {
  void *library = dlopen(getenv("FAULTY_MODULE"), RTLD_NOW | RTLD_LOCAL);
  word (*get)(struct function_list **) = library ? (word (*)(struct function_list **))dlsym(library, "C_GetFunctionList") : NULL;
  word result = get ? get(&real) : 0x05; /* CKR_GENERAL_ERROR */
  if (result) return result;
  ours = *real;
#define REPLACE(index, name) ours.functions[index] = name;
  FUNCTIONS(REPLACE)
  *list = &ours;
  return 0;
}
