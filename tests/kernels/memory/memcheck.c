/* Calls generated handlers as XLA does, from files that record.py wrote, for valgrind to watch: every buffer, frame and array of
 * pointers is a malloc of its exact size, results are uninitialised, and what a handler leaves unwritten is an error when it
 * is printed. The structures are jaxlib's own (xla/ffi/api/c_api.h), so the layout that the emitter assumes is checked too.
 *
 *     calls FILE HANDLER…      with FILE.call; the results go to FILE.results
 *
 * `handlers`, the table of the handlers that are linked in, is written by memcheck.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

typedef void *Handler(void *);
struct entry { const char *name; Handler *handler; };
extern const struct entry handlers[];

struct extension { size_t size; int type; void *next; XLA_FFI_Metadata *metadata; };

static int64_t word(FILE *file) {
  int64_t found;
  if (fread(&found, sizeof found, 1, file) != 1) exit(3);
  return found;
}

static XLA_FFI_Buffer *read_buffer(FILE *file, int known, int64_t *bytes, int *whole) {
  XLA_FFI_Buffer *buffer = malloc(sizeof *buffer);
  int64_t total = word(file), rank = word(file);
  *whole = (int)word(file);
  memset(buffer, 0, sizeof *buffer);
  buffer->struct_size = sizeof *buffer;
  buffer->dtype = total == 4 ? XLA_FFI_DataType_S32 : XLA_FFI_DataType_F64;
  buffer->rank = rank;
  buffer->dims = malloc((size_t)rank * sizeof(int64_t));
  for (int64_t k = 0; k < rank; ++k) total *= buffer->dims[k] = word(file);
  buffer->data = malloc((size_t)total);
  if (known && fread(buffer->data, 1, (size_t)total, file) != (size_t)total) exit(3);
  *bytes = total;
  return buffer;
}

static void metadata(Handler *handler) {
  XLA_FFI_CallFrame *frame = calloc(1, sizeof *frame);
  XLA_FFI_Metadata *answer = calloc(1, sizeof *answer);
  struct extension *asked = calloc(1, sizeof *asked);
  asked->type = XLA_FFI_Extension_Metadata;
  asked->metadata = answer;
  frame->extension_start = (void *)asked;
  if (handler(frame)) exit(4);
  if (answer->api_version.major_version != XLA_FFI_API_MAJOR || answer->api_version.minor_version != XLA_FFI_API_MINOR) exit(5);
  free(frame), free(answer), free(asked);
}

static void call(Handler *handler, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s.call", name);
  FILE *in = fopen(path, "rb");
  snprintf(path, sizeof path, "%s.results", name);
  FILE *out = fopen(path, "wb");
  if (!in || !out) exit(2);
  int64_t counts[2] = {word(in), word(in)}, total = counts[0] + counts[1], bytes;
  XLA_FFI_CallFrame *frame = calloc(1, sizeof *frame);
  XLA_FFI_Buffer **buffers[2];
  int64_t *sizes = malloc((size_t)total * sizeof *sizes);
  int *whole = malloc((size_t)total * sizeof *whole);
  for (int group = 0; group < 2; ++group) {
    buffers[group] = malloc((size_t)counts[group] * sizeof(void *));
    for (int64_t k = 0; k < counts[group]; ++k) {
      int64_t at = group * counts[0] + k;
      buffers[group][k] = read_buffer(in, group == 0, &bytes, &whole[at]);
      sizes[at] = bytes;
    }
  }
  frame->struct_size = sizeof *frame;
  frame->stage = XLA_FFI_ExecutionStage_EXECUTE;
  frame->args.size = counts[0], frame->args.args = (void **)buffers[0];
  frame->rets.size = counts[1], frame->rets.rets = (void **)buffers[1];
  if (handler(frame)) exit(4);
  for (int64_t k = 0; k < counts[1]; ++k)
    if (whole[counts[0] + k]) fwrite(buffers[1][k]->data, 1, (size_t)sizes[counts[0] + k], out);
  if (fclose(out) || fclose(in)) exit(2);
  for (int group = 0; group < 2; ++group) {
    for (int64_t k = 0; k < counts[group]; ++k) {
      free(buffers[group][k]->data), free(buffers[group][k]->dims), free(buffers[group][k]);
    }
    free(buffers[group]);
  }
  free(frame), free(sizes), free(whole);
}

int main(int count, char **arguments) {
  for (int k = 1; k + 1 < count; k += 2) {
    const struct entry *found = handlers;
    while (found->name && strcmp(found->name, arguments[k + 1])) ++found;
    if (!found->name) return 6;
    metadata(found->handler);
    call(found->handler, arguments[k]);
  }
  return 0;
}
