// The gRPC side of a Functions host: one stream to one worker, from its first message to its last.

using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using FetchApiKeyFunction.Tests.Hosts.Rpc;
using Grpc.Core;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>What a worker has told of itself, and how it is spoken to.</summary>
internal sealed class WorkerChannel
{
    private readonly Channel<StreamingMessage> _toWorker = Channel.CreateUnbounded<StreamingMessage>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<InvocationResponse>> _invocations = new();
    private readonly TaskCompletionSource<Worker> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _folder;
    private readonly ConcurrentQueue<string> _log;
    private Uri? _http;
    private Worker? _worker;
    private string _trigger = "";

    /// <param name="folder">Of the published function app.</param>
    /// <param name="log">Takes every message that the worker logs, whole.</param>
    public WorkerChannel(string folder, ConcurrentQueue<string> log) => (_folder, _log) = (folder, log);

    /// <summary>The worker, when its function is loaded.</summary>
    public Task<Worker> Loaded => _loaded.Task;

    /// <param name="Http">Where it listens, or will.</param>
    internal sealed record Worker(Uri Http, string FunctionId, string Route);

    public void Terminate() => Send(new StreamingMessage { WorkerTerminate = new WorkerTerminate() });

    /// <summary>Ends when the function has.</summary>
    public Task<InvocationResponse> InvokeAsync(string invocation, string functionId, string traceParent)
    {
        var ended = _invocations[invocation] = new TaskCompletionSource<InvocationResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        Send(new StreamingMessage
        {
            InvocationRequest = new InvocationRequest
            {
                InvocationId = invocation,
                FunctionId = functionId,
                TraceContext = new RpcTraceContext { TraceParent = traceParent },
                InputData = { new ParameterBinding { Name = _trigger, Data = new TypedData { Http = new RpcHttp() } } },
            },
        });
        return ended.Task;
    }

    public async Task ServeAsync(IAsyncStreamReader<StreamingMessage> fromWorker, IServerStreamWriter<StreamingMessage> toWorker, CancellationToken cancellation)
    {
        var writing = WriteAsync(toWorker, cancellation);
        try
        {
            while (await fromWorker.MoveNext(cancellation))
            {
                Receive(fromWorker.Current);
            }
        }
        finally
        {
            _toWorker.Writer.TryComplete();
            Forget();
        }

        await writing;
    }

    /// <summary>What was in flight when a worker died has no answer.</summary>
    public void Forget()
    {
        foreach (var (_, invocation) in _invocations)
        {
            invocation.TrySetException(new IOException("The worker is gone."));
        }
    }

    private void Send(StreamingMessage message) => _toWorker.Writer.TryWrite(message);

    private async Task WriteAsync(IServerStreamWriter<StreamingMessage> toWorker, CancellationToken cancellation)
    {
        await foreach (var message in _toWorker.Reader.ReadAllAsync(cancellation))
        {
            await toWorker.WriteAsync(message, cancellation);
        }
    }

    private void Receive(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case StreamingMessage.ContentOneofCase.StartStream:
                Send(new StreamingMessage
                {
                    WorkerInitRequest = new WorkerInitRequest { HostVersion = "4.1037.0", WorkerDirectory = _folder, FunctionAppDirectory = _folder },
                });
                break;
            case StreamingMessage.ContentOneofCase.WorkerInitResponse:
                Require(message.WorkerInitResponse.Result);
                _http = new Uri(message.WorkerInitResponse.Capabilities["HttpUri"]);
                Send(new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = _folder } });
                break;
            case StreamingMessage.ContentOneofCase.FunctionMetadataResponse:
                Require(message.FunctionMetadataResponse.Result);
                Load(message.FunctionMetadataResponse.FunctionMetadataResults.Single());
                break;
            case StreamingMessage.ContentOneofCase.FunctionLoadResponse:
                Require(message.FunctionLoadResponse.Result);
                _loaded.TrySetResult(_worker!);
                break;
            case StreamingMessage.ContentOneofCase.InvocationResponse:
                if (_invocations.TryRemove(message.InvocationResponse.InvocationId, out var invocation))
                {
                    invocation.TrySetResult(message.InvocationResponse);
                }

                break;
            case StreamingMessage.ContentOneofCase.RpcLog:
                _log.Enqueue(message.RpcLog.ToString());
                break;
        }
    }

    private void Load(RpcFunctionMetadata function)
    {
        using var binding = JsonDocument.Parse(function.RawBindings.Single(raw => raw.Contains("httpTrigger", StringComparison.Ordinal)));
        _trigger = binding.RootElement.GetProperty("name").GetString()!;
        _worker = new Worker(_http!, function.FunctionId, binding.RootElement.GetProperty("route").GetString()!);
        Send(new StreamingMessage { FunctionLoadRequest = new FunctionLoadRequest { FunctionId = function.FunctionId, Metadata = function } });
    }

    private void Require(StatusResult result)
    {
        if (result.Status != StatusResult.Types.Status.Success)
        {
            _loaded.TrySetException(new InvalidOperationException(result.ToString()));
        }
    }
}
