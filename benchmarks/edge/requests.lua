-- What wrk sends: `wrk -s requests.lua URL -- OPERATION DIRECTORY SEED SLOT HOMESTAYS FIRST_DAY [look]`.
--
-- DIRECTORY holds a file for each read, a request a line: token, tab, body. A create is put together here, for no two may
-- be of the same nights: SLOT is the number of the first free pair of nights, counted over all homestays. With `look`,
-- every answer is looked at for errors; that takes time on the core of those who are asked, so not while it counts.

local NIGHTS = 2
local DAY = 86400
local reads, tokens, template = {}, {}, nil
local operation, homestays, first_day

-- wrk reads these of the thread when all is done.
slot = 0
wrong = 0

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

local function request_of(token, body)
    return wrk.format("POST", "/graphql", {
        ["Host"] = wrk.host .. ":" .. wrk.port,
        ["Authorization"] = "Bearer " .. token,
        ["Content-Type"] = "application/json",
        ["Accept"] = "application/json",
    }, body)
end

local function load_reads(directory, name)
    local found = {}
    for line in io.lines(directory .. "/" .. name .. ".tsv") do
        local token, body = line:match("^(.-)\t(.*)$")
        table.insert(found, request_of(token, body))
    end
    return found
end

local function load_creates(directory)
    for line in io.lines(directory .. "/tokens") do
        table.insert(tokens, line)
    end
    local file = io.open(directory .. "/create.json")
    template = file:read("*a")
    file:close()
end

local function create()
    local homestay, start = slot % homestays + 1, first_day + math.floor(slot / homestays) * NIGHTS * DAY
    slot = slot + 1
    local values = {
        HOMESTAY = homestay,
        START = os.date("!%Y-%m-%d", start),
        END = os.date("!%Y-%m-%d", start + NIGHTS * DAY),
        KEY = "slot-" .. slot,
    }
    return request_of(tokens[math.random(#tokens)], (template:gsub("@(%u+)@", values)))
end

local function look(status, _, body)
    if status ~= 200 or body:find('"errors"', 1, true) then
        wrong = wrong + 1
    end
end

function init(arguments)
    operation = arguments[1]
    local directory = arguments[2]
    math.randomseed(tonumber(arguments[3]))
    slot, homestays, first_day = tonumber(arguments[4]), tonumber(arguments[5]), tonumber(arguments[6])
    if operation == "mix" then
        reads = { load_reads(directory, "detail"), load_reads(directory, "list") }
    elseif operation ~= "create" then
        reads = { load_reads(directory, operation) }
    end
    if operation == "mix" or operation == "create" then
        load_creates(directory)
    end
    if arguments[7] == "look" then
        response = look
    end
end

function request()
    if operation == "create" then
        return create()
    end
    local set = reads[1]
    if operation == "mix" then
        local drawn = math.random(5)
        if drawn == 5 then
            return create()
        end
        set = reads[drawn % 2 + 1]
    end
    return set[math.random(#set)]
end

function done(summary, latency)
    local thread = threads[1]
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.3f, "p99": %.3f, "failed": %d, "wrong": %d, "slot": %d}\n',
        summary.requests, summary.duration / 1e6, summary.bytes,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        thread:get("wrong"), thread:get("slot")))
end
